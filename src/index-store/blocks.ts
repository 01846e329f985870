/**
 * The block table: which shard holds a block. Sorted runs of 24 bytes a block, merged in tiers as in an LSM tree, each with a
 * Bloom filter in front.
 *
 * Not LMDB: with one key a block it took 98 bytes and 4.9 µs a block at two million (random inserts touch every page), and
 * its mapped pages count as memory. This takes 24.1 bytes and 1.4 µs a block to add, merges included, and 0.5 µs to find that a
 * block is new. Nor LevelDB (classic-level), which is such a tree already and has had many eyes on it: measured, it was 1.3 to 11
 * times slower and took 1.6 times the bytes. So the structure is ours, and has laws that hold it against a plain map.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { syncDirectory } from '../durable.ts';
import { errnoOf, ShardctlError } from '../errors.ts';
import { BITS_PER_BLOCK } from './block-filter.ts';
import { comparePrefixes, PREFIX_BYTES, RECORD_BYTES, sortedRecords } from './block-records.ts';
import { BlockRun, BlockRunWriter } from './block-run.ts';

const RUN = '.run';
/** Runs of about one size that are merged into one. */
const FAN_IN = 8;
/** Runs up to this many records are of the lowest tier. */
const TIER_RECORDS = 65_536;
/** Fewer lookups than this are cheaper by page reads than by loading filters. */
const LOOKUPS_BEFORE_FILTERS = 256;
/** For all filters together: full size up to 22 million blocks, then thinner, and above 67 million none. */
const FILTER_BYTES = 32 * 1024 * 1024;

export class BlockTable {
  readonly #dir: string;
  readonly #runs: BlockRun[];
  #lookups = 0;
  #nextId: number;

  /** @param options.dropTorn delete damaged runs rather than refuse the table: for `repair`, which then lists their blocks again */
  constructor(dir: string, readOnly: boolean, options: { dropTorn?: boolean } = {}) {
    this.#dir = dir;
    // Lost with a power cut, it would take along the blocks of shards that the tables have by then.
    if (!readOnly && mkdirSync(dir, { recursive: true }) !== undefined) syncDirectory(dirname(dir));
    for (const name of readdirSync(dir)) if (!readOnly && name.endsWith(`${RUN}.tmp`)) rmSync(join(dir, name), { force: true });
    this.#runs = openRuns(dir, options.dropTorn === true);
    const last = this.#runs.at(-1);
    this.#nextId = last === undefined ? 0 : Number.parseInt(basename(last.path), 10) + 1;
  }

  /** A usable shard that has the digest standing at `at`. */
  get(digest: Uint8Array, at: number, usable: (shard: number) => boolean): number | undefined {
    if (this.#runs.length === 0) return undefined;
    if (++this.#lookups === LOOKUPS_BEFORE_FILTERS) this.#runs.forEach(this.#addFilter);
    for (let i = this.#runs.length - 1; i >= 0; i--) {
      const shard = (this.#runs[i] as BlockRun).get(digest, at, usable);
      if (shard !== undefined) return shard;
    }
    return undefined;
  }

  /**
   * Adds the blocks of a shard, durably.
   * @param digests 32 bytes each, in any order
   * @param shards the shards that there are, asked for when runs are merged: the blocks of others are dropped then
   */
  add(shard: number, digests: Buffer, shards: () => ReadonlySet<number>): void {
    const sorted = sortedRecords(shard, digests);
    const path = this.#nextPath();
    const writer = new BlockRunWriter(path);
    for (let at = 0; at < sorted.length; at += RECORD_BYTES) writer.add(sorted, at);
    writer.finish();
    syncDirectory(this.#dir);
    this.#open(path);
    this.#mergeTiers(shards);
  }

  close(): void {
    for (const run of this.#runs) run.close();
  }

  #nextPath(): string {
    return join(this.#dir, `${String(this.#nextId++).padStart(10, '0')}${RUN}`);
  }

  /** Gives a run its filter if this table is being looked up in earnest. */
  readonly #addFilter = (run: BlockRun): void => {
    if (this.#lookups < LOOKUPS_BEFORE_FILTERS) return;
    const records = this.#runs.reduce((sum, { records: count }) => sum + count, 0);
    run.loadFilter(Math.min(BITS_PER_BLOCK, (FILTER_BYTES * 8) / records));
  };

  /** Merges whenever eight runs of one tier have come together: every block is rewritten once per tier. */
  #mergeTiers(shards: () => ReadonlySet<number>): void {
    for (;;) {
      const tiers = groupByTier(this.#runs);
      const full = [...tiers.values()].find((runs) => runs.length >= FAN_IN);
      if (full === undefined) return;
      this.#merge(full, shards());
    }
  }

  #merge(runs: readonly BlockRun[], shards: ReadonlySet<number>): void {
    const path = this.#nextPath();
    const writer = new BlockRunWriter(path);
    mergeInto(runs, writer, shards);
    writer.finish();
    syncDirectory(this.#dir);
    // A crash here leaves merged and unmerged runs side by side: they say the same.
    for (const run of runs) {
      run.close();
      this.#runs.splice(this.#runs.indexOf(run), 1);
      rmSync(run.path);
    }
    this.#open(path);
  }

  #open(path: string): void {
    const run = new BlockRun(path);
    this.#runs.push(run);
    this.#addFilter(run);
  }
}

/** Opens all runs, oldest first. Somebody else may be merging them: a run that went away meanwhile is in one that came. */
function openRuns(dir: string, dropTorn: boolean, attempts = 5): BlockRun[] {
  const runs: BlockRun[] = [];
  try {
    for (const name of readdirSync(dir).sort()) {
      const run = name.endsWith(RUN) ? openRun(join(dir, name), dropTorn) : undefined;
      if (run !== undefined) runs.push(run);
    }
    return runs;
  } catch (error) {
    for (const run of runs) run.close();
    if (errnoOf(error) === 'ENOENT' && attempts > 1) return openRuns(dir, dropTorn, attempts - 1);
    throw error;
  }
}

function openRun(path: string, dropTorn: boolean): BlockRun | undefined {
  try {
    return new BlockRun(path);
  } catch (error) {
    if (!dropTorn || !(error instanceof ShardctlError && error.code === 'DAMAGE')) throw error;
    rmSync(path);
    return undefined;
  }
}

function groupByTier(runs: readonly BlockRun[]): Map<number, BlockRun[]> {
  const tiers = new Map<number, BlockRun[]>();
  for (const run of runs) {
    const tier = Math.max(0, Math.ceil(Math.log(run.records / TIER_RECORDS) / Math.log(FAN_IN)));
    const group = tiers.get(tier);
    if (group === undefined) tiers.set(tier, [run]);
    else group.push(run);
  }
  return tiers;
}

/** Merges runs, record by record. A block that stands in several shards keeps a record for each; those of dropped shards go. */
function mergeInto(runs: readonly BlockRun[], writer: BlockRunWriter, shards: ReadonlySet<number>): void {
  const heads = runs.map((run) => new Head(run)).filter((head) => head.advance());
  while (heads.length > 0) {
    let least = 0;
    for (let i = 1; i < heads.length; i++) if ((heads[i] as Head).compare(heads[least] as Head) < 0) least = i;
    const head = heads[least] as Head;
    if (shards.has(head.bytes.readUInt32LE(head.at + PREFIX_BYTES))) writer.add(head.bytes, head.at);
    if (!head.advance()) heads.splice(least, 1);
  }
}

/** The next record of a run that is being merged. */
class Head {
  readonly #chunks: Generator<Buffer>;
  bytes: Buffer = Buffer.alloc(0);
  at = 0;

  constructor(run: BlockRun) {
    this.#chunks = run.chunks();
  }

  /** Moves to the next record; false at the end. */
  advance(): boolean {
    this.at += RECORD_BYTES;
    if (this.at < this.bytes.length) return true;
    const next = this.#chunks.next();
    if (next.done === true) return false;
    this.bytes = next.value;
    this.at = 0;
    return true;
  }

  compare(other: Head): number {
    return comparePrefixes(this.bytes, this.at, other.bytes, other.at);
  }
}
