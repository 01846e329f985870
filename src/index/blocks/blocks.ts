/**
 * The block table: which shard holds a block. Sorted segments of 24 bytes a block, merged in tiers as in an LSM tree, each with a
 * Bloom filter in front.
 *
 * Not LMDB: with a key for each block it took 98 bytes and 4.9 µs a block at two million (random inserts touch every page), and
 * its mapped pages count as memory. This table takes 24.1 bytes and 1.4 µs to add a block, merges included, and 0.5 µs to find that a
 * block is new. Not LevelDB (classic-level) either, which is such a tree and widely used: it was 1.3 to 11 times slower and took 1.6
 * times the bytes. So the structure is written here, and property tests compare it with a plain map.
 */
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectories, removeUnlessBusy, syncDirectory } from '../../core/durable-files.ts';
import { errnoOf, isDamage } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import { BITS_PER_BLOCK } from './filter.ts';
import { comparePrefixes, RECORD_BYTES, shardAt, sortedRecords } from './records.ts';
import { Segment, SegmentWriter, soundPages } from './segment.ts';

const RUN = '.run';
/** Names of segments and of half-written ones; other files are left alone. */
const OURS = /^\d{10,}\.run(?:\.tmp)?$/;
/** So many segments of one tier are merged into one. */
const FAN_IN = 8;
/** Records of one step of a merge: a few milliseconds. */
const STEP_RECORDS = 4096;
/** Segments up to this many records are of the lowest tier. */
const TIER_RECORDS = 65_536;
/** For fewer lookups than this, reading pages takes less time than loading filters. */
const LOOKUPS_BEFORE_FILTERS = 256;
/** For all filters together: 12 bits a block up to 22 million blocks, fewer bits beyond, and no filters above 67 million. */
const FILTER_BYTES = 32 * 1024 * 1024;

/** A segment that is not as it was written. */
export interface DamagedSegment {
  readonly path: string;
  readonly problem: string;
}

export class BlockTable {
  readonly #dir: string;
  readonly #segments: Segment[];
  readonly #damaged: DamagedSegment[] = [];
  #lookups = 0;
  #nextId: number;
  /** Resolves when the merges that are under way in turns are done. */
  #merged: Promise<void> | undefined;

  /**
   * @param options.checkBlocks look at every page, and go on without the segments that are damaged
   * @throws ShardctlError `DAMAGE` when a segment is torn, unless it is set aside
   */
  constructor(dir: string, { readOnly = false, checkBlocks = false }: { readOnly?: boolean; checkBlocks?: boolean } = {}) {
    this.#dir = dir;
    // A power cut must not lose this directory: the blocks of shards that the tables have by then would be lost with it.
    if (!readOnly && makeDirectories(dir) !== undefined) syncDirectory(dirname(dir));
    const names = namesIn(dir);
    for (const name of names) if (!readOnly && name.endsWith('.tmp')) rmSync(join(dir, name), { force: true });
    this.#segments = openSegments(dir, checkBlocks ? this.#damaged : undefined);
    this.#nextId = 1 + Math.max(-1, ...names.map((name) => Number.parseInt(name, 10)).filter(Number.isSafeInteger));
  }

  /** Segments that are not used because they are damaged. */
  get damaged(): readonly DamagedSegment[] {
    return this.#damaged;
  }

  /**
   * Replaces each damaged segment by one with the records of its sound pages. The blocks of the other pages are in no segment until the
   * caller lists them again.
   * @param shards the shards that have records
   */
  mend(shards: () => ReadonlySet<number>): void {
    const there = shards();
    for (const { path: damaged } of this.#damaged.splice(0)) {
      this.#write((writer) => {
        for (const page of soundPages(damaged)) {
          for (let at = 0; at < page.length; at += RECORD_BYTES) if (there.has(shardAt(page, at))) writer.add(page, at);
        }
      });
      rmSync(damaged);
    }
    for (const _ of this.#mergeTiers(shards));
  }

  /** A usable shard that has the digest standing at `at`. */
  get(digest: Uint8Array, at: number, usable: (shard: number) => boolean): number | undefined {
    if (this.#segments.length === 0) return undefined;
    if (++this.#lookups === LOOKUPS_BEFORE_FILTERS) this.#segments.forEach(this.#addFilter);
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const shard = this.#segments[i]?.get(digest, at, usable);
      if (shard !== undefined) return shard;
    }
    return undefined;
  }

  /**
   * Adds the blocks of a shard, durably.
   * @param digests 32 bytes each, in any order
   * @param shards gives the shards that have records; called when segments are merged, which drops the blocks of all others
   */
  add(shard: number, digests: Buffer, shards: () => ReadonlySet<number>): void {
    this.#list(shard, digests);
    // A merge that is under way in turns looks for full tiers again before it ends.
    if (this.#merged === undefined) for (const _ of this.#mergeTiers(shards));
  }

  /** As `add`, and gives other tasks their turn meanwhile, because merging four million blocks takes seconds. Several calls may be under way. */
  async addInTurns(shard: number, digests: Buffer, shards: () => ReadonlySet<number>): Promise<void> {
    this.#list(shard, digests);
    this.#merged ??= this.#mergeInTurns(shards).finally(() => {
      this.#merged = undefined;
    });
    await this.#merged;
  }

  async #mergeInTurns(shards: () => ReadonlySet<number>): Promise<void> {
    const turns = new Turns(undefined);
    for (const _ of this.#mergeTiers(shards)) await turns.give();
  }

  #list(shard: number, digests: Buffer): void {
    const sorted = sortedRecords(shard, digests);
    this.#write((writer) => {
      for (let at = 0; at < sorted.length; at += RECORD_BYTES) writer.add(sorted, at);
    });
  }

  close(): void {
    for (const segment of this.#segments) segment.close();
  }

  /** Loads a segment's filter, if there were enough lookups to make that worth it. */
  readonly #addFilter = (segment: Segment): void => {
    if (this.#lookups < LOOKUPS_BEFORE_FILTERS) return;
    const records = this.#segments.reduce((sum, { records: count }) => sum + count, 0);
    segment.loadFilter(Math.min(BITS_PER_BLOCK, (FILTER_BYTES * 8) / records));
  };

  /** Merges as long as a tier has eight segments: every block is rewritten once in each tier. Yields every few milliseconds. */
  *#mergeTiers(shards: () => ReadonlySet<number>): Generator<void, void, void> {
    for (;;) {
      const tiers = groupByTier(this.#segments);
      const full = [...tiers.values()].find((segments) => segments.length >= FAN_IN);
      if (full === undefined) return;
      yield* this.#merge(full, shards());
    }
  }

  *#merge(segments: readonly Segment[], shards: ReadonlySet<number>): Generator<void, void, void> {
    const writer = this.#newSegment();
    yield* mergeInto(segments, writer, shards);
    this.#take(writer);
    // A crash here leaves the merged segment beside those that it was made from. That is no harm: they have the same records.
    for (const segment of segments) {
      segment.close();
      this.#segments.splice(this.#segments.indexOf(segment), 1);
      // If it stays because another process has it open, it is read beside the merged one, which has the same records.
      removeUnlessBusy(segment.path);
    }
  }

  /** One more segment, if there is anything to write; durable before it is used. */
  #write(fill: (writer: SegmentWriter) => void): void {
    const writer = this.#newSegment();
    fill(writer);
    this.#take(writer);
  }

  #newSegment(): SegmentWriter {
    return new SegmentWriter(join(this.#dir, `${String(this.#nextId++).padStart(10, '0')}${RUN}`));
  }

  #take(writer: SegmentWriter): void {
    if (!writer.finish()) return;
    syncDirectory(this.#dir);
    const segment = new Segment(writer.path);
    this.#segments.push(segment);
    this.#addFilter(segment);
  }
}

/** Names of segments, in order; none when there is no such directory. */
function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => OURS.test(name))
      .sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Opens all segments, oldest first. Another process may be merging: when a segment has been removed meanwhile, its records are in a new
 * one, and the directory is listed again.
 * @param damaged gets the damaged ones; if undefined, they are an error
 */
function openSegments(dir: string, damaged: DamagedSegment[] | undefined, attempts = 5): Segment[] {
  const segments: Segment[] = [];
  try {
    for (const name of namesIn(dir)) {
      const segment = name.endsWith(RUN) ? openSegment(join(dir, name), damaged) : undefined;
      if (segment !== undefined) segments.push(segment);
    }
    return segments;
  } catch (error) {
    for (const segment of segments) segment.close();
    damaged?.splice(0);
    if (errnoOf(error) === 'ENOENT' && attempts > 1) return openSegments(dir, damaged, attempts - 1);
    throw error;
  }
}

function openSegment(path: string, damaged: DamagedSegment[] | undefined): Segment | undefined {
  let segment: Segment | undefined;
  try {
    segment = new Segment(path);
    if (damaged !== undefined) segment.check();
    return segment;
  } catch (error) {
    if (damaged === undefined || !isDamage(error)) throw error;
    segment?.close();
    damaged.push({ path, problem: error.message });
    return undefined;
  }
}

function groupByTier(segments: readonly Segment[]): Map<number, Segment[]> {
  const tiers = new Map<number, Segment[]>();
  for (const segment of segments) {
    const tier = Math.max(0, Math.ceil(Math.log(segment.records / TIER_RECORDS) / Math.log(FAN_IN)));
    const group = tiers.get(tier);
    if (group === undefined) tiers.set(tier, [segment]);
    else group.push(segment);
  }
  return tiers;
}

/** Merges segments, record by record, in steps. Of a block in several shards all records are kept; records of shards that are dropped are left out. */
function* mergeInto(segments: readonly Segment[], writer: SegmentWriter, shards: ReadonlySet<number>): Generator<void, void, void> {
  const heads = segments.map((segment) => new Head(segment)).filter((head) => head.advance());
  for (let records = 1; heads.length > 0; records++) {
    if (records % STEP_RECORDS === 0) yield;
    let [head] = heads;
    if (head === undefined) return;
    for (const other of heads) if (other.compare(head) < 0) head = other;
    if (shards.has(shardAt(head.bytes, head.at))) writer.add(head.bytes, head.at);
    if (!head.advance()) heads.splice(heads.indexOf(head), 1);
  }
}

/** The next record of a segment that is being merged. */
class Head {
  readonly #chunks: Generator<Buffer>;
  bytes: Buffer = Buffer.alloc(0);
  at = 0;

  constructor(segment: Segment) {
    this.#chunks = segment.chunks();
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
