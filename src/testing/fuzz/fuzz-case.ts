/**
 * One random CAR, taken or refused as `import-car` does it, and brought back as `get` does it. What must hold, whatever the CAR:
 * nothing outside OUT changes; the blocks that are read are bounded by what came in; what is taken comes back as the interpreter has it.
 */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { ShardctlError } from '../../core/errors.ts';
import type { BlockId } from '../../core/model.ts';
import { type AcceptedTree, acceptTree } from '../../exchange/import-car/accept.ts';
import { Received } from '../../exchange/import-car/received.ts';
import type { TreeRoot } from '../../exchange/tree-car/choose-root.ts';
import { TreeCar } from '../../exchange/tree-car/tree-car.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { get } from '../../restore/get.ts';
import { SectionCursor } from '../../shard/car.ts';
import { SHA2_256 } from '../foreign-car.ts';
import { inPieces } from '../tree-car.ts';
import { type CookedCar, cook } from './cook.ts';
import { type Interpreted, interpret } from './interpreter.ts';
import type { Recipe } from './recipe.ts';

/** More than any walk needs: each block and each link a few times, and something for the root. What is written out as often as it is in the tree is read as often. */
const MOST_READS_A_PART = 8;
const FREE_READS = 64;

/** What is taken and larger than this is not brought back here: it would be disk and time, and no other code. */
const MOST_ENTRIES = 1000;
const MOST_BYTES = 1_000_000;

/** Times that every file system holds. */
const MOST_SECONDS = 2n ** 31n;

/** The blocks of one CAR. A walk that reads more than it may is stopped by an error that is nobody's. */
class FuzzBlocks implements Blocks {
  readonly #blocks = new Map<string, Buffer>();
  #most = 0;
  #reads = 0;

  constructor(parts: number) {
    this.countAnew(parts);
  }

  /** @param parts blocks, links and entries that a walk has to do with */
  countAnew(parts: number): void {
    this.#reads = 0;
    this.#most = FREE_READS + MOST_READS_A_PART * parts;
  }

  get isSpent(): boolean {
    return this.#reads >= this.#most;
  }

  take(batch: Buffer): void {
    for (const cursor = new SectionCursor(batch); cursor.next(); ) {
      const digest = batch.subarray(cursor.digestAt, cursor.dataAt).toString('hex');
      this.#blocks.set(digest, Buffer.from(batch.subarray(cursor.dataAt, cursor.end)));
    }
  }

  of = (digest: string): Buffer | undefined => this.#blocks.get(digest);

  async read(digest: Uint8Array): Promise<Uint8Array> {
    assert.ok(++this.#reads <= this.#most, `${this.#reads} blocks were read, and ${this.#blocks.size} came in`);
    const block = this.of(Buffer.from(digest).toString('hex'));
    if (block === undefined) throw new ShardctlError('DAMAGE', 'a block is missing');
    return block;
  }
}

/** How a case went: `refused` was seen when it was read, `taken` came back, `large` was taken and left at that. */
export type Outcome = 'refused' | 'taken' | 'large';

export class FuzzPlace {
  readonly #dir: string;
  readonly #sentinel: string;
  readonly out: string;

  /** @param dir in which everything happens */
  constructor(dir: string) {
    this.#dir = mkdtempSync(join(dir, 'fuzz-'));
    mkdirSync(join(this.#dir, 'outside'));
    mkdirSync(join(this.#dir, 'work'));
    writeFileSync(join(this.#dir, 'outside', 'precious'), 'precious');
    writeFileSync(join(this.#dir, 'work', 'sentinel'), 'sentinel');
    this.out = join(this.#dir, 'work', 'out');
    this.#sentinel = this.#surroundings();
  }

  /** All is as it was around OUT, which goes. */
  assertUntouched(): void {
    rmSync(this.out, { recursive: true, force: true });
    assert.equal(this.#surroundings(), this.#sentinel);
  }

  #surroundings(): string {
    const names = readdirSync(this.#dir, { recursive: true, encoding: 'utf8' }).sort();
    return names
      .map((name) => {
        const { mode, nlink } = lstatSync(join(this.#dir, name));
        return `${name} ${mode} ${nlink} ${name.includes('/') ? readFileSync(join(this.#dir, name)).toString('hex') : ''}`;
      })
      .join('\n');
  }
}

export async function runFuzzCase(recipe: Recipe, place: FuzzPlace): Promise<Outcome> {
  const car = cook(recipe);
  const signal = new AbortController().signal;
  try {
    const taken = await takenAsImportCarDoes(car, signal);
    if (taken === undefined) return 'refused';
    const { tree, root, blocks } = taken;
    const { files, directories, symlinks } = tree.counts;
    if (files + directories + symlinks > MOST_ENTRIES || tree.bytes > MOST_BYTES) return 'large';
    const { entries: expected, looks } = interpret(CID.createV1(root.codec, Digest.create(SHA2_256, root.digest)), blocks.of);
    // A file is read leaf by leaf each time; none of it has fewer bytes than leaves that are read.
    blocks.countAnew(car.parts + looks + tree.bytes);
    const { failure } = await get({ root, path: '', out: place.out, blocks, emit: () => {}, signal });
    assertSame(place.out, expected);
    const isPossible = [...expected.values()].every(({ isImpossible }) => !isImpossible);
    assert.equal(failure?.code, isPossible ? undefined : 'NOT_WRITTEN');
    return 'taken';
  } finally {
    place.assertUntouched();
  }
}

/**
 * What is refused is looked at all the same, as by `get` of a snapshot that nobody has checked: no harm may come of it. A tree that
 * nobody has checked may be written out a hundred thousandfold, so after so many blocks the user has seen enough.
 */
export async function restoreUnchecked(recipe: Recipe, place: FuzzPlace): Promise<void> {
  const car = cook({ ...recipe, mutations: [] });
  const blocks = new FuzzBlocks(car.parts);
  const enough = new AbortController();
  const reader: Blocks = {
    read: async (digest) => {
      if (blocks.isSpent) enough.abort(new ShardctlError('INTERRUPTED', 'enough'));
      enough.signal.throwIfAborted();
      return await blocks.read(digest);
    },
  };
  try {
    const opened = await opening(car);
    for await (const batch of opened.received.batches()) blocks.take(batch);
    await get({ root: opened.root, path: '', out: place.out, blocks: reader, emit: () => {}, signal: enough.signal });
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
  } finally {
    place.assertUntouched();
  }
}

interface Taken {
  readonly tree: AcceptedTree;
  readonly root: BlockId;
  readonly blocks: FuzzBlocks;
}

async function opening({ bytes }: CookedCar): Promise<{ received: Received; root: TreeRoot }> {
  const car = await TreeCar.open(inPieces(bytes, 1000), 'fuzz.car');
  return { received: new Received(car, 'fuzz.car'), root: car.root };
}

async function takenAsImportCarDoes(car: CookedCar, signal: AbortSignal): Promise<Taken | undefined> {
  const blocks = new FuzzBlocks(car.parts);
  try {
    const { received, root } = await opening(car);
    for await (const batch of received.batches()) blocks.take(batch);
    const tree = await acceptTree(root, { name: 'fuzz.car', blocks, received, emit: () => {}, signal });
    return { tree, root, blocks };
  } catch (error) {
    // A second root may have come in by a flipped bit.
    if (error instanceof ShardctlError && (error.code === 'DAMAGE' || error.code === 'USAGE')) return undefined;
    throw error;
  }
}

function assertSame(out: string, expected: ReadonlyMap<string, Interpreted>): void {
  const there = new Map(pathsBelow(Buffer.from(out), ''));
  const possible = [...expected].filter(([, { isImpossible }]) => !isImpossible);
  assert.deepEqual([...there.keys()].sort(), possible.map(([path]) => path).sort());
  for (const [path, entry] of possible) assertEntry(there.get(path) as Buffer, path, entry);
}

/** As the interpreter names them, and as they are. */
function* pathsBelow(at: Buffer, path: string): Generator<[string, Buffer]> {
  yield [path, at];
  if (!lstatSync(at).isDirectory()) return;
  for (const name of readdirSync(at, { encoding: 'buffer' }))
    yield* pathsBelow(Buffer.concat([at, Buffer.from('/'), name]), path === '' ? name.toString() : `${path}/${name}`);
}

function assertEntry(at: Buffer, path: string, { kind, content, mode, mtime }: Interpreted): void {
  const stat = lstatSync(at, { bigint: true });
  assert.equal(stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'file', kind, path);
  if (kind === 'file') assert.ok(readFileSync(at).equals(content), `${path} has other bytes`);
  if (kind === 'symlink') assert.ok(readlinkSync(at, { encoding: 'buffer' }).equals(content), `${path} has another target`);
  if (kind !== 'symlink' && mode !== undefined) assert.equal((Number(stat.mode) & 0o777).toString(8), (mode & 0o777).toString(8), path);
  if (mtime !== undefined && mtime.secs < MOST_SECONDS && mtime.secs > -MOST_SECONDS)
    assert.equal(stat.mtimeNs, mtime.secs * 1_000_000_000n + BigInt(mtime.nsecs ?? 0), path);
}
