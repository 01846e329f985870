/**
 * Holds claims of indexes against the tree: is each file there, of its size, with its hash? A claim that the passed tree's index made too, of
 * a file that has not changed since, was proved then and is not looked at again: so the cost follows what has changed.
 */
import { createHash } from 'node:crypto';
import { ShardctlError } from '../../core/errors.ts';
import type { JudgedEntry, JudgedTree, StoredTree } from '../../core/gate.ts';
import { type ByteString, FILE } from '../../core/model.ts';
import { joinBytes, partsOf } from '../../core/path-bytes.ts';
import type { ContradictionWhat, GateKind } from '../../core/verdict.ts';
import { cidText, sameDigest } from '../../dag/cid.ts';
import type { ChangedPaths } from './changed-paths.ts';
import { type Algorithm, type Claim, type NoUnpacker, UnreadableIndex } from './claim.ts';
import { comparedUnits } from './compared-units.ts';
import type { Findings } from './findings.ts';
import { copyOf, type UnitReader } from './unit-reader.ts';
import type { Part, Parts } from './units.ts';

/** Bytes of a path: no system opens a longer one, and contradictions are kept. */
const MOST_IN_A_PATH = 4096;

/** Files of several leaves whose hash is remembered: a package for all architectures is named by the index of each of them. */
const MOST_HASHES = 20_000;

export interface ComparisonOptions {
  readonly tree: JudgedTree;
  /**
   * What has changed since `tree.passed`. Undefined while there is a passed tree: changes may be reached over symlinks, and so a file
   * counts as unchanged only when it is the same in both trees.
   */
  readonly changed: ChangedPaths | undefined;
  readonly findings: Findings;
  /** Whether an index that needs a program which is not there is left out, and not an error. */
  readonly isLenient: boolean;
  /** Whether all that has the name of an index counts as one: not in a tree of which kinds are yet to be recognised. */
  readonly isCredulous: boolean;
  /** Paths of what is compared of that which indexes of packages name; everything when undefined. Indexes themselves always are. */
  readonly only?: ReadonlySet<ByteString> | undefined;
  /** Told of each claim of an index that is read anew, also where it is not compared. */
  readonly onClaim?: ((kind: GateKind, index: ByteString, claim: Claim) => Promise<void>) | undefined;
  readonly signal: AbortSignal;
}

export class Comparison {
  readonly tree: JudgedTree;
  readonly changed: ChangedPaths | undefined;
  readonly findings: Findings;
  readonly signal: AbortSignal;
  readonly #isLenient: boolean;
  readonly isCredulous: boolean;
  readonly #only: ReadonlySet<ByteString> | undefined;
  readonly #onClaim: ComparisonOptions['onClaim'];
  readonly #hashes = new Map<string, string>();

  constructor({ tree, changed, findings, isLenient, isCredulous, only, onClaim, signal }: ComparisonOptions) {
    this.tree = tree;
    this.changed = changed;
    this.findings = findings;
    this.signal = signal;
    this.#isLenient = isLenient;
    this.isCredulous = isCredulous;
    this.#only = only;
    this.#onClaim = onClaim;
  }

  /** Whether the same is at a path in the tree and in the passed one. */
  async isSame(path: ByteString): Promise<boolean> {
    const [before, now] = [await this.tree.passed?.entry(path), await this.tree.entry(path)];
    return before !== undefined && now !== undefined && isSameEntry(before, now);
  }

  /**
   * Compares all that an index claims.
   * @param now as it is in the tree
   * @param before the index in its place in the passed tree, if there is one
   */
  async index<Unit>(
    kind: GateKind,
    index: ByteString,
    reader: UnitReader<Unit>,
    now: () => Parts<Unit>,
    before: (() => Parts<Unit>) | undefined,
  ): Promise<void> {
    this.findings.indexes++;
    await this.reading(kind, index, async () => {
      for await (const { both, came, went } of comparedUnits(reader, now(), before?.())) {
        this.signal.throwIfAborted();
        for (const unit of went) for (const path of reader.pathsOf(unit)) if (path !== undefined) this.changed?.isDisturbed(path);
        this.findings.entries += await this.#checkDisturbed(kind, index, reader, both);
        for (const unit of came) {
          for (const claim of reader.claimsOf(unit)) {
            if (this.findings.areEnough) return;
            await this.#onClaim?.(kind, index, claim);
            if (!this.isAsked(claim)) continue;
            this.findings.entries++;
            await this.check(kind, index, claim);
          }
        }
      }
    });
  }

  /** The same for an index that was passed and is the same: only what was disturbed is compared. Reads nothing when nothing was. */
  async sameIndex<Unit>(kind: GateKind, index: ByteString, reader: UnitReader<Unit>, now: () => Parts<Unit>): Promise<void> {
    if (this.changed !== undefined && !this.changed.hasDisturbed) return;
    this.findings.indexes++;
    await this.reading(kind, index, async () => {
      for await (const part of now()) {
        this.signal.throwIfAborted();
        await this.#checkDisturbed(kind, index, reader, [part]);
      }
    });
  }

  /** @returns whether the file is there and as claimed; if not, that is noted, unless the filters leave it out */
  async check(kind: GateKind, index: ByteString, claim: Claim): Promise<boolean> {
    const fail = (what: ContradictionWhat, detail: string) => {
      // A part of the index's text would keep all of that in memory.
      this.findings.contradict({ kind, what, index, path: copyOf((claim.path ?? claim.named).slice(0, MOST_IN_A_PATH)), detail });
      return false;
    };
    if (claim.named.length > MOST_IN_A_PATH) return fail('missing', 'has a longer path than any file');
    if (claim.path === undefined) return fail('missing', 'leads out of the tree');
    const entry = await this.tree.entry(claim.path);
    if (entry === undefined) return (await this.leavesOut(claim.path)) ? false : fail('missing', 'is not there');
    if (entry.kind !== FILE) return fail('missing', 'is no file');
    if (claim.size !== undefined && claim.size !== entry.size)
      return fail('size', `is ${bytes(entry.size)} and should be ${bytes(claim.size)}`);
    if (claim.digest === undefined) return true;
    const { algorithm, hex } = claim.digest;
    if ((await this.#hashOf(entry, algorithm)) === hex) return true;
    return fail('hash', `has another ${algorithm} than the index says`);
  }

  /** Whether this is among what is compared. */
  isAsked({ path, named }: Claim): boolean {
    return this.#only === undefined || this.#only.has(path ?? named);
  }

  /** Whether the filters leave out what an index names here and is not there; that is counted. */
  async leavesOut(path: ByteString): Promise<boolean> {
    const isLeftOut = this.tree.leavesOut(path) || this.tree.leavesOut(await this.#placeOf(path));
    if (isLeftOut) this.findings.leftOut++;
    return isLeftOut;
  }

  /** Where something at this path would lie: the symlinks on the way are replaced, as far as it is there. */
  async #placeOf(path: ByteString): Promise<ByteString> {
    for (let { above } = partsOf(path); above !== ''; { above } = partsOf(above)) {
      const directory = await this.tree.entry(above);
      if (directory !== undefined) return joinBytes(directory.at, path.slice(above.length + 1));
    }
    return path;
  }

  /**
   * Reads an index that no other one names, so that its name alone says what it is. One that cannot be read is a contradiction if it could
   * be read in a tree before this one, or is known for one otherwise; else something else has this name, and nothing is held against it.
   * @param read undefined for what is readable and no index @returns what was read, if anything
   */
  async topIndex<T>(
    kind: GateKind,
    index: ByteString,
    read: (tree: StoredTree) => Promise<T | undefined>,
    isKnown = false,
  ): Promise<T | undefined> {
    const isRead = async (tree: StoredTree) => (await read(tree)) !== undefined;
    let detail = 'is no index any more';
    try {
      const found = await read(this.tree);
      if (found !== undefined) {
        this.findings.kinds.add(kind);
        return found;
      }
      if (!(await this.wasThere(isRead))) return undefined;
    } catch (error) {
      if (!(error instanceof UnreadableIndex)) throw error;
      detail = error.message;
      if (!isKnown && !this.isCredulous && !(await this.wasThere(isRead))) return undefined;
    }
    this.findings.kinds.add(kind);
    this.findings.contradict({ kind, what: 'unreadable', index, path: index, detail });
    return undefined;
  }

  /** Whether something could be read in the tree that was passed, or is in the head. What cannot be read there says nothing. */
  async wasThere(read: (tree: StoredTree) => Promise<boolean>): Promise<boolean> {
    for (const before of [this.tree.passed, this.tree.head]) {
      try {
        if (before !== undefined && (await read(before))) return true;
      } catch (error) {
        if (!(error instanceof UnreadableIndex) && !(error instanceof ShardctlError)) throw error;
      }
    }
    return false;
  }

  /** Does what reads an index; one that cannot be read is a contradiction. */
  async reading(kind: GateKind, index: ByteString, read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      if (!(error instanceof UnreadableIndex)) throw error;
      this.findings.contradict({ kind, what: 'unreadable', index, path: index, detail: error.message });
    }
  }

  /** An index was not judged, in any of its packings. @throws NoUnpacker where its kind was asked for by name */
  leaveOut(lack: NoUnpacker): void {
    if (!this.#isLenient) throw lack;
    this.findings.lack(lack.program);
  }

  /** What the passed tree's index said, too, was proved then: only files that were disturbed are compared. @returns how many files are named */
  async #checkDisturbed<Unit>(kind: GateKind, index: ByteString, reader: UnitReader<Unit>, parts: readonly Part<Unit>[]): Promise<number> {
    let named = 0;
    const names = this.changed?.disturbedNames();
    for (const part of parts) {
      const beside = names && reader.countBeside?.(part, names);
      named += beside ?? (await this.#checkUnits(kind, index, reader, part));
    }
    return named;
  }

  async #checkUnits<Unit>(kind: GateKind, index: ByteString, reader: UnitReader<Unit>, part: Part<Unit>): Promise<number> {
    let named = 0;
    for (const unit of part) {
      const paths = reader.pathsOf(unit);
      named += paths.length;
      // Asked first, because nearly none is, and to await each of them would take longer than all else.
      if (!this.#mayBeDisturbed(paths)) continue;
      for (const claim of reader.claimsOf(unit))
        if (!this.findings.areEnough && this.isAsked(claim) && !(await this.#isUndisturbed(claim.path)))
          await this.check(kind, index, claim);
    }
    return named;
  }

  /** Asks for each of them, which notes that it is named. */
  #mayBeDisturbed(paths: readonly (ByteString | undefined)[]): boolean {
    const { changed } = this;
    let mayBe = false;
    for (const path of paths) if (changed === undefined || path === undefined || changed.isDisturbed(path)) mayBe = true;
    return mayBe;
  }

  async #isUndisturbed(path: ByteString | undefined): Promise<boolean> {
    if (path === undefined) return false;
    return this.changed === undefined ? await this.isSame(path) : !this.changed.isDisturbed(path);
  }

  async #hashOf(entry: JudgedEntry, algorithm: Algorithm): Promise<string> {
    if (algorithm === 'sha256' && entry.sha256 !== undefined) return hexOf(entry.sha256);
    const key = `${algorithm} ${cidText(entry.id, 1)}`;
    const known = this.#hashes.get(key);
    if (known !== undefined) return known;
    const hash = createHash(algorithm);
    for await (const part of this.tree.bytes(entry)) {
      this.signal.throwIfAborted();
      hash.update(part);
      this.findings.hashedBytes += part.length;
    }
    const hex = hash.digest('hex');
    if (this.#hashes.size >= MOST_HASHES) this.#hashes.clear();
    this.#hashes.set(key, hex);
    return hex;
  }
}

export function isSameEntry(a: JudgedEntry, b: JudgedEntry): boolean {
  return a.id.codec === b.id.codec && sameDigest(a.id.digest, b.id.digest);
}

function hexOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('hex');
}

function bytes(count: number): string {
  return `${count.toLocaleString('en-US')} byte${count === 1 ? '' : 's'}`;
}
