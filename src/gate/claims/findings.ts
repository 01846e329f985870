/**
 * What a judge has found: how much it has read, and the contradictions. Any number may be told; a verdict names MOST_CONTRADICTIONS of them,
 * the first by index and path, so that two runs over the same tree name the same ones. Memory holds MOST_KEPT of them, at about 500 bytes
 * each, and MOST_CHARACTERS of what they say; after MOST_COUNTED nothing more is looked for, because indexes may be a stranger's.
 */
import { type Contradiction, type GateKind, MOST_CONTRADICTIONS, type Verdict } from '../../core/verdict.ts';

/** A mirror that leaves out packages may have ten thousands. With more, none of them counts as an old one. */
const MOST_KEPT = 100_000;
/** Paths are of 4 KiB where somebody wants so. */
const MOST_CHARACTERS = 600 * MOST_KEPT;
export const MOST_COUNTED = 1_000_000;

export class Findings {
  readonly kinds = new Set<GateKind>();
  indexes = 0;
  entries = 0;
  hashedBytes = 0;
  /** See `Verdict.leftOut`. */
  leftOut = 0;
  #beyond = 0;
  #characters = 0;
  #asBefore = 0;
  readonly #kept = new Map<string, Contradiction>();
  /** How many indexes were not read for want of a program. */
  readonly #lacking = new Map<string, number>();

  /** Two ways to one index (a suite and its symlink) say the same, which counts once. */
  contradict(contradiction: Contradiction): void {
    const key = keyOf(contradiction);
    if (this.#kept.has(key)) return;
    const characters = key.length + contradiction.path.length + contradiction.detail.length;
    if (this.#kept.size < MOST_KEPT && this.#characters + characters <= MOST_CHARACTERS) {
      this.#kept.set(key, contradiction);
      this.#characters += characters;
    } else this.#beyond++;
  }

  /** Whether there are more contradictions than anybody wants to know of: then the others are not looked for. */
  get areEnough(): boolean {
    return this.#kept.size + this.#beyond >= MOST_COUNTED;
  }

  get hasAny(): boolean {
    return this.#kept.size > 0;
  }

  lack(program: string): void {
    this.#lacking.set(program, (this.#lacking.get(program) ?? 0) + 1);
  }

  /** All contradictions; none where there are too many to say which of them are old. */
  all(): readonly Contradiction[] {
    return this.#beyond > 0 ? [] : [...this.#kept.values()];
  }

  /** Counts this one as an old one. */
  setApart(contradiction: Contradiction): void {
    if (this.#kept.delete(keyOf(contradiction))) this.#asBefore++;
  }

  verdict(): Verdict {
    const { indexes, entries, hashedBytes } = this;
    const keys = [...this.#kept.keys()].sort().slice(0, MOST_CONTRADICTIONS);
    return {
      kinds: [...this.kinds].sort(),
      read: { indexes, entries, hashedBytes },
      count: this.#kept.size + this.#beyond,
      contradictions: keys.flatMap((key) => this.#kept.get(key) ?? []),
      asBefore: this.#asBefore,
      leftOut: this.leftOut,
      lacking: [...this.#lacking].map(([program, count]) => ({ program, indexes: count })),
    };
  }
}

/** NUL stands in no path, and sorts before everything else. */
function keyOf({ kind, index, path, what }: Contradiction): string {
  return `${kind}\0${index}\0${path}\0${what}`;
}
