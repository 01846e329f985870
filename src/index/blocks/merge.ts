/** Merges sorted segments in tiers, as in an LSM tree: every block is rewritten once in each tier. */
import { comparePrefixes, RECORD_BYTES, shardAt } from './records.ts';
import type { Segment, SegmentWriter } from './segment.ts';

/** Of the shards that have records. Those that are asked for are looked up: to read all of them for each merge of a few takes the longer, the more there are. */
export type ShardNumbers = Pick<ReadonlySet<number>, 'has'>;

/** Each number is looked up once: segments have millions of records, and few shards. */
export function lookedUpOnce(shards: ShardNumbers): ShardNumbers {
  const known = new Map<number, boolean>();
  return {
    has: (number) => {
      const is = known.get(number) ?? shards.has(number);
      known.set(number, is);
      return is;
    },
  };
}

/** So many segments of one tier are merged into one. */
const FAN_IN = 8;
/** Records of one step of a merge: a few milliseconds. */
const STEP_RECORDS = 4096;
/** Segments up to this many records are of the lowest tier. */
const TIER_RECORDS = 65_536;

/** Segments of one tier that are enough to be merged. */
export function fullTier(segments: readonly Segment[]): readonly Segment[] | undefined {
  return [...groupByTier(segments).values()].find((tier) => tier.length >= FAN_IN);
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
export function* mergeInto(segments: readonly Segment[], writer: SegmentWriter, shards: ShardNumbers): Generator<void, void, void> {
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
