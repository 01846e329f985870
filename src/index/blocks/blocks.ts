/**
 * The block table: which shard holds a block. Sorted segments of 24 bytes a block, merged in tiers as in an LSM tree, each with a
 * Bloom filter in front.
 *
 * Not LMDB: with one key a block it took 98 bytes and 4.9 µs a block at two million (random inserts touch every page), and
 * its mapped pages count as memory. This takes 24.1 bytes and 1.4 µs a block to add, merges included, and 0.5 µs to find that a
 * block is new. Nor LevelDB (classic-level), which is such a tree already and has had many eyes on it: measured, it was 1.3 to 11
 * times slower and took 1.6 times the bytes. So the structure is ours, and has laws that hold it against a plain map.
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
/** By their numbers; whatever else is there is not ours. */
const OURS = /^\d{10,}\.run(?:\.tmp)?$/;
/** Segments of about one size that are merged into one. */
const FAN_IN = 8;
/** Records of one step of a merge: a few milliseconds. */
const STEP_RECORDS = 4096;
/** Segments up to this many records are of the lowest tier. */
const TIER_RECORDS = 65_536;
/** Fewer lookups than this are cheaper by page reads than by loading filters. */
const LOOKUPS_BEFORE_FILTERS = 256;
/** For all filters together: full size up to 22 million blocks, then thinner, and above 67 million none. */
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
    // Lost with a power cut, it would take along the blocks of shards that the tables have by then.
    if (!readOnly && makeDirectories(dir) !== undefined) syncDirectory(dirname(dir));
    const names = namesIn(dir);
    for (const name of names) if (!readOnly && name.endsWith('.tmp')) rmSync(join(dir, name), { force: true });
    this.#segments = openSegments(dir, checkBlocks ? this.#damaged : undefined);
    this.#nextId = 1 + Math.max(-1, ...names.map((name) => Number.parseInt(name, 10)).filter(Number.isSafeInteger));
  }

  /** Segments that were set aside. */
  get damaged(): readonly DamagedSegment[] {
    return this.#damaged;
  }

  /**
   * Puts segments in the places of the damaged ones, with what is still good of them. The blocks of their bad pages are listed in no
   * segment then, until the caller lists them again.
   * @param shards the shards that there are
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
      const shard = (this.#segments[i] as Segment).get(digest, at, usable);
      if (shard !== undefined) return shard;
    }
    return undefined;
  }

  /**
   * Adds the blocks of a shard, durably.
   * @param digests 32 bytes each, in any order
   * @param shards the shards that there are, asked for when segments are merged: the blocks of others are dropped then
   */
  add(shard: number, digests: Buffer, shards: () => ReadonlySet<number>): void {
    this.#list(shard, digests);
    // One that is under way in turns takes these along at its end.
    if (this.#merged === undefined) for (const _ of this.#mergeTiers(shards));
  }

  /** As `add`, while others have their turn: to merge four million blocks takes seconds. Several may be under way. */
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

  /** Gives a segment its filter if this table is being looked up in earnest. */
  readonly #addFilter = (segment: Segment): void => {
    if (this.#lookups < LOOKUPS_BEFORE_FILTERS) return;
    const records = this.#segments.reduce((sum, { records: count }) => sum + count, 0);
    segment.loadFilter(Math.min(BITS_PER_BLOCK, (FILTER_BYTES * 8) / records));
  };

  /** Merges whenever eight segments of one tier have come together: every block is rewritten once per tier. Each step is a short one. */
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
    // A crash here leaves merged and unmerged segments side by side: they say the same.
    for (const segment of segments) {
      segment.close();
      this.#segments.splice(this.#segments.indexOf(segment), 1);
      // Another process may read it: then it is read as well as the merged one, which says the same.
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

/** Without the directory there is no segment. */
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
 * Opens all segments, oldest first. Somebody else may be merging them: a segment that went away meanwhile is in one that came.
 * @param damaged takes the damaged ones, if they are not to be an error
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

/** Merges segments, record by record, in steps. A block that stands in several shards keeps a record for each; those of dropped shards go. */
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
