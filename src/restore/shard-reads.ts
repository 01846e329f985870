/**
 * Reads the wanted blocks of a shard in order from one of its streams, and what that does not give from the next. Bytes between them that
 * nobody wants are read over where they are few, and left out by a new read where they are many.
 */
import { closeSync, readSync } from 'node:fs';
import { messageOf, ShardctlError } from '../core/errors.ts';
import { Turns } from '../core/event-loop.ts';
import { openRegularSync } from '../core/regular-files.ts';
import type { ShardBytes } from '../peer/peer.ts';
import type { FileRequests } from './file-request.ts';
import type { GatewayReads } from './gateway-reads.ts';
import { MOST_GAP_BYTES, type ReadBuffers, RunCursor, type TakeBlock } from './run-cursor.ts';
import type { ShardJob, StreamTrouble } from './shard-job.ts';
import type { ShardStream } from './shard-stream.ts';

/** A file is read at gigabytes a second; each new request to a daemon waits for it once. */
const GAP_BYTES = { car: 128 * 1024, file: MOST_GAP_BYTES };

/** A daemon that has failed so often in a row is not asked again: each time may cost a whole time-out. */
const MOST_FAILURES = 2;

/** Blocks of one job that may be missing where its last stream breaks off. From any other the next one goes on: a daemon may have looked for a block for 20 s. */
const MOST_BREAKS = 8;

/** A thread has its next job of 2,048 files ready, for about 80 ms: within that time the main thread has to give it another. */
const TURN_MS = 20;

export interface BlockTaker {
  /** @param block its index in the job @param bytes hashed; valid until the next call has returned */
  take(block: number, bytes: Buffer): void;
  /** Whether to read no further. */
  readonly isStopped: boolean;
}

/** Whatever the taker throws is no fault of the stream. */
class NotTaken extends Error {}

/** What threads keep between two jobs. */
export class ShardReads {
  readonly #buffers: ReadBuffers;
  #gateways: GatewayReads | undefined;
  #requests: FileRequests | undefined;
  /** By name of the stream: how often in a row it failed. */
  readonly #failures = new Map<string, number>();

  constructor(buffers: ReadBuffers) {
    this.#buffers = buffers;
  }

  /**
   * Gives every wanted block that can be had to `taker`, each once.
   * @returns what is wrong with the streams that failed
   */
  async read(job: ShardJob, taker: BlockTaker): Promise<StreamTrouble[]> {
    const trouble: StreamTrouble[] = [];
    const taken = new Uint8Array(job.lengths.length);
    let left = taken.length;
    const take = (block: number, bytes: Buffer) => {
      taken[block] = 1;
      left--;
      try {
        taker.take(block, bytes);
      } catch (error) {
        throw new NotTaken('a block was not taken', { cause: error });
      }
    };
    for (const stream of job.streams) {
      if (left === 0 || taker.isStopped) break;
      const name = nameOf(stream);
      const failures = this.#failures.get(name) ?? 0;
      if (failures >= MOST_FAILURES) continue;
      try {
        const isLast = stream === job.streams.at(-1);
        const isWanted = (block: number) => taken[block] === 0;
        const bad =
          stream.form === 'gateways'
            ? await (await this.#gatewayReads()).read(stream, job, { isWanted, take, taker, buffers: this.#buffers })
            : await this.#readFrom(stream, job, isWanted, take, taker, isLast);
        this.#failures.delete(name);
        if (bad > 0) trouble.push(said(name, `${bad} blocks of shard ${job.shard} are missing or have other hashes`));
      } catch (error) {
        if (error instanceof NotTaken) throw error.cause;
        this.#failures.set(name, failures + 1);
        trouble.push({
          message: `${name}: shard ${job.shard} cannot be read to its end: ${messageOf(error)}`,
          cause: `${name} breaks off`,
        });
      }
    }
    return [...(this.#gateways?.droppedSince() ?? []), ...trouble];
  }

  /** @returns how many blocks did not have their hashes, or did not come */
  async #readFrom(
    stream: ShardBytes,
    job: ShardJob,
    isWanted: (block: number) => boolean,
    take: TakeBlock,
    taker: BlockTaker,
    isLast: boolean,
  ): Promise<number> {
    const offsets = stream.form === 'car' ? job.carOffsets : job.fileOffsets;
    const count = job.lengths.length;
    const fd = stream.form === 'car' ? openRegularSync(stream.path).fd : -1;
    let bad = 0;
    let breaks = 0;
    try {
      for (let first = next(0); first < count && !taker.isStopped; ) {
        const end = stretchEnd(offsets, job.lengths, first, GAP_BYTES[stream.form]);
        const cursor = new RunCursor(job, { first, end, offsets }, this.#buffers, isWanted, take);
        try {
          if (stream.form === 'car') await readFile(fd, cursor, endOf(end - 1), taker);
          else await readRequested(await this.#fileRequests(), stream, cursor, endOf(end - 1), { taker, isLast });
          first = next(end);
        } catch (error) {
          // A daemon that lacks one block breaks off there, and has the others.
          if (error instanceof NotTaken || cursor.next === first || ++breaks > (isLast ? MOST_BREAKS : 0)) throw error;
          first = next(cursor.next + 1);
        }
        bad += cursor.bad;
      }
    } finally {
      if (fd >= 0) closeSync(fd);
    }
    return bad + breaks;

    function endOf(block: number): number {
      return (offsets[block] as number) + (job.lengths[block] as number);
    }

    function next(block: number): number {
      while (block < count && !isWanted(block)) block++;
      return block;
    }
  }

  /** What asks daemons or gateways is loaded where one is asked: it takes each thread 10 ms. */
  async #fileRequests(): Promise<FileRequests> {
    const { FileRequests } = await import('./file-request.ts');
    this.#requests ??= new FileRequests();
    return this.#requests;
  }

  async #gatewayReads(): Promise<GatewayReads> {
    const { GatewayReads } = await import('./gateway-reads.ts');
    this.#gateways ??= new GatewayReads();
    return this.#gateways;
  }

  close(): void {
    this.#requests?.close();
    this.#gateways?.close();
  }
}

/** Of the blocks from `first` on, those up to the first gap that is too wide to be read over. A function of its own: see `shardJob`. */
function stretchEnd(offsets: Float64Array, lengths: Uint32Array, first: number, mostGap: number): number {
  let end = first + 1;
  while (end < lengths.length && (offsets[end] as number) - (offsets[end - 1] as number) - (lengths[end - 1] as number) <= mostGap) end++;
  return end;
}

/** Gives others their turns, as the main thread may be the one that reads: it has to hear the other threads and signals. */
async function readFile(fd: number, cursor: RunCursor, to: number, taker: BlockTaker): Promise<void> {
  const turns = new Turns(undefined, TURN_MS);
  let from = cursor.begin();
  cursor.advance(0);
  while (!cursor.isDone && !taker.isStopped) {
    const { buffer, at, most } = cursor.room;
    const bytes = readSync(fd, buffer, at, cursor.upToBlockEnd(Math.min(most, to - from)), from);
    if (bytes === 0) throw new ShardctlError('DAMAGE', 'it ends too early');
    from += bytes;
    cursor.advance(bytes);
    await turns.give();
  }
}

async function readRequested(
  requests: FileRequests,
  stream: ShardStream & { readonly form: 'file' },
  cursor: RunCursor,
  to: number,
  { taker, isLast }: { readonly taker: BlockTaker; readonly isLast: boolean },
): Promise<void> {
  const from = cursor.begin();
  cursor.advance(0);
  if (cursor.isDone) return;
  const take = (piece: Buffer) => cursor.push(piece) && !taker.isStopped;
  await requests.read(stream, { from, to, isLast }, take, (most) => cursor.roomForPiece(most));
  if (!cursor.isDone && !taker.isStopped) throw new ShardctlError('DAMAGE', 'it ends too early');
}

function said(name: string, what: string): StreamTrouble {
  return { message: `${name}: ${what}`, cause: `${name}: ${what}` };
}

/** A file, or what has all shards that are read there. */
function nameOf(stream: ShardStream): string {
  if (stream.form === 'car') return stream.path;
  return stream.form === 'file' ? new URL(stream.url).origin : 'gateways';
}
