/**
 * Reads the wanted blocks of a shard from its file, as gateways give it. Stretches that are far apart are asked for by requests of their own,
 * short ones ahead of being written.
 */
import { threadId } from 'node:worker_threads';
import { ShardctlError } from '../core/errors.ts';
import { type BlockId, DIGEST_BYTES, RAW } from '../core/model.ts';
import { GatewayFailure } from '../gateway/failure.ts';
import { Gateways, type Trail } from '../gateway/gateways.ts';
import { type ReadBuffers, RunCursor, type Stretch, type TakeBlock } from './run-cursor.ts';
import { askedAnew } from './shard-gaps.ts';
import type { ShardJob, StreamTrouble } from './shard-job.ts';
import type { ShardStream } from './shard-stream.ts';
import { type HeldStretch, StretchesAhead } from './stretches-ahead.ts';

type GatewayStream = ShardStream & { readonly form: 'gateways' };

/** Blocks of one job that may be passed over; and so many side by side: what lacks more is read block by block. */
const MOST_LACKING = 8;
const MOST_IN_A_ROW = 2;

export interface Wish {
  readonly isWanted: (block: number) => boolean;
  readonly take: TakeBlock;
  /** Whether to read no further. */
  readonly taker: { readonly isStopped: boolean };
  readonly buffers: ReadBuffers;
}

export class GatewayReads {
  /** By their addresses: a gateway that was found to lie is asked nothing for the rest of the run. */
  readonly #gateways = new Map<string, Gateways>();
  /** By CIDs of shards: who has one part of it has the others. */
  readonly #trails = new Map<string, Trail>();
  readonly #dropped: StreamTrouble[] = [];

  /**
   * What nobody gives is passed over a few times, because a gateway that lacks a block may have all the others.
   * @returns how many blocks were passed over @throws ShardctlError `TOO_FEW_PEERS`; what `take` throws
   */
  async read(stream: GatewayStream, job: ShardJob, wish: Wish): Promise<number> {
    const gateways = this.#gatewaysOf(stream);
    const over = new AbortController();
    const stretches = stretchesOf(job, wish.isWanted);
    const ahead = new StretchesAhead(job, stretches, (held) => this.#hold(held, gateways, job, over.signal));
    let [lacking, inARow] = [0, 0];
    /** @returns the stretch behind the block that nobody gives @throws the error when it is not about this block alone */
    const behind = (error: unknown, stretch: Stretch, block: number): Stretch => {
      if (!(error instanceof ShardctlError) || error.code !== 'TOO_FEW_PEERS' || gateways.left === 0) throw error;
      inARow = block > stretch.first ? 1 : inARow + 1;
      if (++lacking > MOST_LACKING || inARow > MOST_IN_A_ROW) throw error;
      return { ...stretch, first: block + 1 };
    };
    const streamed = async (whole: Stretch) => {
      for (let rest = whole; rest.first < rest.end && !wish.taker.isStopped; ) {
        const cursor = new RunCursor(job, rest, wish.buffers, wish.isWanted, wish.take);
        try {
          await this.#stream(cursor, rest, gateways, job, wish);
          return;
        } catch (error) {
          rest = behind(error, rest, cursor.next);
        }
      }
    };
    try {
      for (const [number, stretch] of stretches.entries()) {
        if (wish.taker.isStopped) break;
        const held = await ahead.take(number);
        held?.give((block) => wish.isWanted(block) && !wish.taker.isStopped, wish.take);
        if (held === undefined) await streamed(stretch);
        else if (held.failure !== undefined) await streamed(behind(held.failure, stretch, held.next));
      }
    } finally {
      over.abort(new Error('nobody waits for it any more'));
    }
    return lacking;
  }

  /** Gateways that were dropped since it was last asked. */
  droppedSince(): readonly StreamTrouble[] {
    return this.#dropped.splice(0);
  }

  close(): void {
    for (const gateways of this.#gateways.values()) gateways.close();
  }

  async #stream(cursor: RunCursor, stretch: Stretch, gateways: Gateways, job: ShardJob, { taker }: Wish): Promise<void> {
    const last = stretch.end - 1;
    const to = (stretch.offsets[last] as number) + (job.lengths[last] as number);
    await gateways.asking(
      `the bytes of shard ${job.shard}`,
      async (gateway, progress, lags) => {
        const from = cursor.begin();
        const push = (piece: Buffer) => {
          const before = cursor.next;
          const isMore = cursor.push(piece);
          if (cursor.bad > 0) {
            cursor.bad = 0;
            cursor.next = cursor.firstBad;
            throw new GatewayFailure('lies', 'it gives a shard of other bytes');
          }
          if (cursor.next > before) progress();
          return isMore && !taker.isStopped;
        };
        const wishes = { lags, next: () => blockAt(job, cursor.next), room: (most: number) => cursor.roomForPiece(most) };
        if (from < to) await gateway.file(job.shard, { from, to, size: job.fileBytes }, push, wishes);
        else cursor.advance(0);
        if (!cursor.isDone && !taker.isStopped) throw endsEarly();
      },
      this.#trailOf(job.shard),
    );
  }

  async #hold(held: HeldStretch, gateways: Gateways, job: ShardJob, signal: AbortSignal): Promise<void> {
    const { shard, fileBytes } = job;
    await gateways.asking(
      `the bytes of shard ${shard}`,
      async (gateway, progress, lags) => {
        const { from, to } = held.begin();
        const push = (piece: Buffer) => {
          if (held.push(piece) > 0) progress();
          return !held.isComplete;
        };
        if (from < to)
          await gateway.file(shard, { from, to, size: fileBytes }, push, { signal, lags, next: () => blockAt(job, held.next) });
        else held.push(Buffer.alloc(0));
        if (!held.isComplete) throw endsEarly();
      },
      this.#trailOf(shard),
    );
  }

  #trailOf(shard: string): Trail {
    const trail = this.#trails.get(shard) ?? {};
    this.#trails.set(shard, trail);
    return trail;
  }

  #gatewaysOf({ addresses, limits }: GatewayStream): Gateways {
    const key = JSON.stringify([addresses, limits]);
    const onDropped = (name: string, why: string) =>
      this.#dropped.push({ message: `${name} is asked no more: ${why}`, cause: `${name} is asked no more` });
    const options = { ...(limits === undefined ? {} : { limits }), first: threadId, onDropped };
    const gateways = this.#gateways.get(key) ?? new Gateways(addresses, options);
    this.#gateways.set(key, gateways);
    return gateways;
  }
}

function stretchesOf({ fileOffsets: offsets, lengths }: ShardJob, isWanted: (block: number) => boolean): Stretch[] {
  const anew = askedAnew(offsets, lengths);
  const stretches: Stretch[] = [];
  const next = (block: number) => {
    while (block < lengths.length && !isWanted(block)) block++;
    return block;
  };
  for (let first = next(0); first < lengths.length; ) {
    let end = first + 1;
    while (end < lengths.length && !anew.has(end)) end++;
    stretches.push({ first, end, offsets });
    first = next(end);
  }
  return stretches;
}

function endsEarly(): GatewayFailure {
  return new GatewayFailure('broken', 'it ends a shard too early');
}

/** Undefined behind the last one. What lies between two wanted blocks, and may be what is waited for, has no name here. */
function blockAt({ digests, lengths }: ShardJob, block: number): BlockId | undefined {
  if (block >= lengths.length) return undefined;
  return { codec: RAW, digest: digests.subarray(block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES) };
}
