/**
 * `runs/full.json`: names of the peers of which a run has told that they have no room. The next runs know by it that this is no news, until
 * one of them finds room there again. Like all of `runs/` it may be deleted at any time: then the next run tells it again.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFileSync } from '../../core/fresh-file.ts';
import { removeFileSync } from '../../core/remove-file.ts';

export class FullPeers {
  readonly #path: string;
  readonly #runs: string;
  /** As this run has found it. */
  readonly #known: ReadonlySet<string>;
  /** What this run has found last of each peer: whether it is full. */
  readonly #found = new Map<string, boolean>();

  /** @param runs directory of the records */
  constructor(runs: string) {
    this.#runs = runs;
    this.#path = join(runs, 'full.json');
    this.#known = namesIn(this.#path);
  }

  /** Whether an earlier run has told that the peer is full. */
  isKnown(peer: string): boolean {
    return this.#known.has(peer);
  }

  /** @param full those that had no room @param others those that had */
  note(full: readonly string[], others: readonly string[]): void {
    for (const name of full) this.#found.set(name, true);
    for (const name of others) this.#found.set(name, false);
  }

  /**
   * Called when all that the run has to tell is told: what a run that died before had found is told by the next one. What is noted of
   * other peers stays.
   */
  save(): void {
    if (this.#found.size === 0) return;
    const before = namesIn(this.#path);
    const full = [...this.#found].flatMap(([name, isFull]) => (isFull ? [name] : []));
    const after = new Set([...before].filter((name) => !this.#found.has(name)).concat(full));
    if (after.size === before.size && full.every((name) => before.has(name))) return;
    try {
      if (after.size === 0) {
        removeFileSync(this.#path);
        return;
      }
      mkdirSync(this.#runs, { recursive: true });
      replaceFileSync(this.#path, `${JSON.stringify([...after].sort())}\n`, false);
    } catch {
      // A home that cannot be written to remembers nothing, and tells it again.
    }
  }
}

function namesIn(path: string): ReadonlySet<string> {
  try {
    const names = JSON.parse(readFileSync(path, 'utf8')) as unknown;
    return new Set(Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []);
  } catch {
    return new Set();
  }
}
