/**
 * The block table: which shard holds a block. Sorted segments of 24 bytes a block, merged in tiers as in an LSM tree, each with a
 * Bloom filter in front.
 *
 * Not LMDB: with a key for each block it took 98 bytes and 4.9 µs a block at two million (random inserts touch every page), and
 * its mapped pages count as memory. This table takes 24.1 bytes and 1.4 µs to add a block, merges included, and 0.5 µs to find that a
 * block is new. Not LevelDB (classic-level) either, which is such a tree and widely used: it was 1.3 to 11 times slower and took 1.6
 * times the bytes. So the structure is written here, and property tests compare it with a plain map.
 */
import { unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectories, removeUnlessBusy, syncDirectory } from '../../core/durable-files.ts';
import { Turns } from '../../core/event-loop.ts';
import { BITS_PER_BLOCK } from './filter.ts';
import { fullTier, lookedUpOnce, mergeInto, type ShardNumbers } from './merge.ts';
import { RECORD_BYTES, shardAt, sortedRecords } from './records.ts';
import { Segment, type SegmentWriter, soundPages } from './segment.ts';
import { beginSegment, type DamagedSegment, nextNumber, openSegments, segmentPaths } from './segment-files.ts';

/** For fewer lookups than this, reading pages takes less time than loading filters, */
const LOOKUPS_BEFORE_FILTERS = 256;
/** and for fewer than this share of the blocks, in one segment: loading takes 0.4 µs a block, and a page that is read in vain 4 µs. */
const BLOCKS_FOR_A_LOOKUP = 10;
/** For all filters together: 12 bits a block up to 22 million blocks, fewer bits beyond, and no filters above 67 million. */
const FILTER_BYTES = 32 * 1024 * 1024;

export interface BlockTableOptions {
  readonly readOnly?: boolean;
  /** Look at every page, and go on without the segments that are damaged. */
  readonly checkBlocks?: boolean;
  /** Other runs may add and merge segments at the same time. [nobody does] */
  readonly sharing?: { readonly tryTask: (name: string) => { release(): void } | undefined } | undefined;
}

export class BlockTable {
  readonly #dir: string;
  readonly #sharing: BlockTableOptions['sharing'];
  readonly #segments: Segment[];
  readonly #damaged: DamagedSegment[] = [];
  #lookups = 0;
  #hasFilters = false;
  #nextId: number;
  /** Resolves when the merges that are under way in turns are done. */
  #merged: Promise<void> | undefined;

  /** @throws ShardctlError `DAMAGE` when a segment is torn, unless it is set aside */
  constructor(dir: string, { readOnly = false, checkBlocks = false, sharing }: BlockTableOptions = {}) {
    this.#dir = dir;
    this.#sharing = sharing;
    // A power cut must not lose this directory: the blocks of shards that the tables have by then would be lost with it.
    if (!readOnly && makeDirectories(dir) !== undefined) syncDirectory(dirname(dir));
    this.#segments = openSegments(dir, checkBlocks ? this.#damaged : undefined);
    this.#nextId = nextNumber(dir);
  }

  /** Segments that are not used because they are damaged. */
  get damaged(): readonly DamagedSegment[] {
    return this.#damaged;
  }

  /**
   * Replaces each damaged segment by one with the records of its sound pages. The blocks of the other pages are in no segment until the
   * caller lists them again.
   * @param shards gives the numbers of the shards that have records
   */
  mend(shards: () => ShardNumbers): void {
    const there = lookedUpOnce(shards());
    for (const { path: damaged } of this.#damaged.splice(0)) {
      this.#write((writer) => {
        for (const page of soundPages(damaged)) {
          for (let at = 0; at < page.length; at += RECORD_BYTES) if (there.has(shardAt(page, at))) writer.add(page, at);
        }
      });
      unlinkSync(damaged);
    }
    for (const _ of this.#mergeTiers(shards));
  }

  /** A usable shard that has the digest standing at `at`. */
  get(digest: Uint8Array, at: number, usable: (shard: number) => boolean): number | undefined {
    if (this.#segments.length === 0) return undefined;
    this.#lookups++;
    if (!this.#hasFilters && this.#areFiltersWorthIt()) {
      this.#hasFilters = true;
      this.#segments.forEach(this.#addFilter);
    }
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const shard = this.#segments[i]?.get(digest, at, usable);
      if (shard !== undefined) return shard;
    }
    return undefined;
  }

  /**
   * Adds the blocks of a shard, durably.
   * @param digests 32 bytes each, in any order
   * @param shards gives the numbers of the shards that have records; called when segments are merged, which drops the blocks of all others
   */
  add(shard: number, digests: Buffer, shards: () => ShardNumbers): void {
    this.#list(shard, digests);
    // A merge that is under way in turns looks for full tiers again before it ends.
    if (this.#merged === undefined) for (const _ of this.#mergeTiers(shards));
  }

  /** As `add`, and gives other tasks their turn meanwhile, because merging four million blocks takes seconds. Several calls may be under way. */
  async addInTurns(shard: number, digests: Buffer, shards: () => ShardNumbers): Promise<void> {
    this.#list(shard, digests);
    this.#merged ??= this.#mergeInTurns(shards).finally(() => {
      this.#merged = undefined;
    });
    await this.#merged;
  }

  /** Of runs that add at the same time, one merges: what two made of the same segments would be there twice. */
  async #mergeInTurns(shards: () => ShardNumbers): Promise<void> {
    if (fullTier(this.#segments) === undefined) return;
    const task = this.#sharing?.tryTask('merge');
    if (this.#sharing !== undefined && task === undefined) return;
    try {
      if (task !== undefined) this.#lookAgain();
      const turns = new Turns(undefined);
      for (const _ of this.#mergeTiers(shards)) await turns.give();
    } finally {
      task?.release();
    }
  }

  /** Opens the segments that other runs have added, and closes those that they have merged. */
  #lookAgain(): void {
    const paths = segmentPaths(this.#dir);
    // By the file and not by its name alone, which another one may have by now.
    const isThere = (segment: Segment) => paths.includes(segment.path) && segment.isAt(segment.path);
    const [stay, gone] = [this.#segments.filter(isThere), this.#segments.filter((segment) => !isThere(segment))];
    const known = new Set(stay.map(({ path }) => path));
    const added = paths.filter((path) => !known.has(path)).map((path) => new Segment(path));
    for (const segment of gone) segment.close();
    this.#segments.splice(0, this.#segments.length, ...stay, ...added);
    added.forEach(this.#addFilter);
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
    if (!this.#hasFilters) return;
    segment.loadFilter(Math.min(BITS_PER_BLOCK, (FILTER_BYTES * 8) / this.#records()));
  };

  #areFiltersWorthIt(): boolean {
    if (this.#lookups < LOOKUPS_BEFORE_FILTERS) return false;
    return this.#lookups * this.#segments.length * BLOCKS_FOR_A_LOOKUP >= this.#records();
  }

  #records(): number {
    return this.#segments.reduce((sum, { records }) => sum + records, 0);
  }

  /** Merges as long as a tier is full. Yields every few milliseconds. */
  *#mergeTiers(shards: () => ShardNumbers): Generator<void, void, void> {
    for (;;) {
      const full = fullTier(this.#segments);
      if (full === undefined) return;
      yield* this.#merge(full, lookedUpOnce(shards()));
    }
  }

  *#merge(segments: readonly Segment[], shards: ShardNumbers): Generator<void, void, void> {
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
    for (;;) {
      const writer = beginSegment(this.#dir, this.#nextId++);
      if (writer !== undefined) return writer;
    }
  }

  #take(writer: SegmentWriter): void {
    if (!writer.finish()) return;
    syncDirectory(this.#dir);
    const segment = new Segment(writer.path);
    this.#segments.push(segment);
    this.#addFilter(segment);
  }
}
