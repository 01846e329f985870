/**
 * Short stretches of a shard that gateways are asked for ahead, several side by side: each request waits for a far gateway once, and an update
 * wants dozens of them. What is held is bounded, and every block was hashed when its bytes came.
 */
import { DIGEST_BYTES } from '../core/model.ts';
import { hasDigest } from '../dag/cid.ts';
import { GatewayFailure } from '../gateway/failure.ts';
import type { Stretch, TakeBlock } from './run-cursor.ts';
import type { ShardJob } from './shard-job.ts';

/** A longer stretch is read as it is written: what it waits for is the line, and not the gateway. */
const MOST_STRETCH_BYTES = 2 * 1024 * 1024;
/** Of all stretches that are held or on their way. */
const MOST_BYTES = 6 * 1024 * 1024;
const MOST_AT_ONCE = 8;

type Blocks = Pick<ShardJob, 'lengths' | 'digests'>;

/** The bytes of one stretch, as far as they have come and were hashed. */
export class HeldStretch {
  readonly #job: Blocks;
  readonly #digests: Buffer;
  readonly #stretch: Stretch;
  readonly #bytes: Buffer;
  /** The next block that has not come whole. */
  next: number;
  /** Why it does not come whole. */
  failure: unknown;
  #have = 0;

  constructor(job: Blocks, stretch: Stretch) {
    this.#job = job;
    this.#digests = Buffer.from(job.digests.buffer, job.digests.byteOffset, job.digests.length);
    this.#stretch = stretch;
    this.next = stretch.first;
    this.#bytes = Buffer.allocUnsafeSlow(bytesOf(job, stretch));
  }

  get isComplete(): boolean {
    return this.next === this.#stretch.end;
  }

  /** What lacks of it: where it begins and ends in the shard's file. */
  begin(): { readonly from: number; readonly to: number } {
    const { first, offsets } = this.#stretch;
    const base = offsets[first] as number;
    const from = this.isComplete ? base + this.#bytes.length : (offsets[this.next] as number);
    this.#have = from - base;
    return { from, to: base + this.#bytes.length };
  }

  /** @returns how many blocks are complete by it @throws GatewayFailure `lies` for other bytes, of which none is kept */
  push(piece: Buffer): number {
    const { first, offsets, end } = this.#stretch;
    this.#have += piece.copy(this.#bytes, this.#have);
    const before = this.next;
    while (this.next < end) {
      const from = (offsets[this.next] as number) - (offsets[first] as number);
      const to = from + (this.#job.lengths[this.next] as number);
      if (to > this.#have) break;
      if (!hasDigest(this.#bytes.subarray(from, to), this.#digests, this.next * DIGEST_BYTES))
        throw new GatewayFailure('lies', 'it gives a shard of other bytes');
      this.next++;
    }
    return this.next - before;
  }

  /** Gives out the blocks that have come, in their order. */
  give(isWanted: (block: number) => boolean, take: TakeBlock): void {
    const { first, offsets } = this.#stretch;
    for (let block = first; block < this.next; block++) {
      const from = (offsets[block] as number) - (offsets[first] as number);
      if (isWanted(block)) take(block, this.#bytes.subarray(from, from + (this.#job.lengths[block] as number)));
    }
  }
}

/** Which stretches are being read, of all in their order. */
export class StretchesAhead {
  readonly #job: Blocks;
  readonly #stretches: readonly Stretch[];
  readonly #read: (held: HeldStretch) => Promise<void>;
  /** By their numbers. */
  readonly #coming = new Map<number, Promise<HeldStretch>>();
  #next = 0;
  #bytes = 0;

  /** @param read makes a stretch complete; what it throws is the stretch's failure */
  constructor(job: Blocks, stretches: readonly Stretch[], read: (held: HeldStretch) => Promise<void>) {
    this.#job = job;
    this.#stretches = stretches;
    this.#read = read;
  }

  /**
   * To be called for each stretch in turn, when nobody needs the one before any more; asks for those after it, too.
   * @returns undefined for a long one, which is to be read by whoever wants it
   */
  async take(number: number): Promise<HeldStretch | undefined> {
    if (this.#coming.delete(number - 1)) this.#bytes -= this.#bytesAt(number - 1);
    this.#next = Math.max(this.#next, number);
    this.#fill(number);
    return await this.#coming.get(number);
  }

  /** @param from the one that is waited for is read whatever else is held */
  #fill(from: number): void {
    for (; this.#next < this.#stretches.length && this.#coming.size < MOST_AT_ONCE; this.#next++) {
      const bytes = this.#bytesAt(this.#next);
      if (bytes > MOST_STRETCH_BYTES) continue;
      if (this.#bytes + bytes > MOST_BYTES && this.#next !== from) return;
      const held = new HeldStretch(this.#job, this.#stretches[this.#next] as Stretch);
      const coming = this.#read(held).catch((error: unknown) => {
        held.failure = error;
      });
      this.#coming.set(
        this.#next,
        coming.then(() => held),
      );
      this.#bytes += bytes;
    }
  }

  #bytesAt(number: number): number {
    return bytesOf(this.#job, this.#stretches[number] as Stretch);
  }
}

/** From the beginning of its first block to the end of its last one. */
function bytesOf({ lengths }: Blocks, { first, end, offsets }: Stretch): number {
  return (offsets[end - 1] as number) + (lengths[end - 1] as number) - (offsets[first] as number);
}
