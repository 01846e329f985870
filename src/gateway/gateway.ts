/** One trustless gateway: what it is asked, and what its answers must look like. Whether their bytes are right is for `hashesTo` to say. */
import { type BlockId, DAG_PB, RAW } from '../core/model.ts';
import { cidText, hashesTo } from '../dag/cid.ts';
import { anyCidIn } from '../dag/cid-text.ts';
import { MAX_BLOCK_BYTES } from '../shard/car.ts';
import type { Answer, RoomForPiece, TakePiece } from './answer.ts';
import { GATEWAY_LIMITS, GatewayFailure, type GatewayLimits } from './failure.ts';
import { QuietWatch } from './quiet-watch.ts';
import { type Asking, Connections, type GatewayAddress } from './request.ts';

/** Not there, gone, not to be had without asking others, not found in time. */
const ABSENT = new Set([404, 410, 412, 504]);
const BUSY = new Set([429, 503]);
/** From so many bytes on, a stream says how fast a gateway is. */
const LEAST_PACE_BYTES = 64 * 1024;
/** What an answer that does not say its length is given room for at first. */
const FIRST_BYTES = 16 * 1024;
/** Of what a gateway says of a failure. */
const MOST_REASON_BYTES = 512;
const HTTP_FAULT = 500;
/** Of a key, and of a DNSLink. */
const NO_SUCH_NAME = /routing: not found|could not find a TXT record/;
const OK = 200;
const PARTIAL = 206;

/** Bytes from `from` to before `to` of a file that has `size` bytes. */
export interface FileRange {
  readonly from: number;
  readonly to: number;
  readonly size: number;
}

export interface FileWishes {
  readonly signal?: AbortSignal | undefined;
  /** Told of the speed every few seconds; says whether that is too slow. */
  readonly lags?: Lags;
  /** The block of which the next bytes are; undefined when that is not known. */
  readonly next?: () => BlockId | undefined;
  readonly room?: RoomForPiece;
}

/** Whether so many bytes a second are too few. */
export type Lags = (bytesPerSecond: number) => boolean;

export class Gateway {
  readonly name: string;
  readonly limits: GatewayLimits;
  readonly #connections: Connections;

  /** Of every request. */
  readonly #headers: Readonly<Record<string, string>>;

  /** @throws ShardctlError `USAGE` when the URL is none */
  constructor(at: GatewayAddress | Connections, limits: GatewayLimits = GATEWAY_LIMITS, headers: Readonly<Record<string, string>> = {}) {
    this.#connections = at instanceof Connections ? at : new Connections(at, limits);
    this.name = this.#connections.name;
    this.limits = limits;
    this.#headers = headers;
  }

  /**
   * The same gateway, told to look for nothing elsewhere: a Kubo that does not have a block says so at once, where it would otherwise ask
   * its peers for a minute.
   */
  atHand(): Gateway {
    return new Gateway(this.#connections, this.limits, { 'cache-control': 'only-if-cached' });
  }

  /** A block, hashed. @throws GatewayFailure */
  async block({ codec, digest }: BlockId, signal?: AbortSignal): Promise<Buffer> {
    const path = `ipfs/${cidText({ codec: codec === DAG_PB ? DAG_PB : RAW, digest }, 1)}?format=raw`;
    const bytes = await this.small({ path, headers: { accept: 'application/vnd.ipld.raw' }, signal }, MAX_BLOCK_BYTES);
    if (!hashesTo(bytes, digest)) throw new GatewayFailure('lies', 'it gives a block of other bytes');
    return bytes;
  }

  /**
   * Bytes of a file, such as a shard, piece by piece; not hashed. Resolves when `take` wants no more.
   * @throws GatewayFailure, also when it is quiet and has not the block that comes next
   */
  async file(cid: string, range: FileRange, take: TakePiece, wishes: FileWishes = {}): Promise<void> {
    const { signal, next } = wishes;
    if (next === undefined) return await this.#file(cid, range, take, wishes);
    const watch = new QuietWatch(this.limits.quietMs, async (stopped) => {
      const block = next();
      if (block === undefined || (await this.has(block, stopped))) return undefined;
      return new GatewayFailure('absent', `it does not have block ${cidText(block, 1)}`);
    });
    const both = signal === undefined ? watch.signal : AbortSignal.any([signal, watch.signal]);
    const heard: TakePiece = (piece) => {
      watch.heard();
      return take(piece);
    };
    await this.#file(cid, range, heard, { ...wishes, signal: both }).finally(() => watch.end());
  }

  async #file(cid: string, { from, to, size }: FileRange, take: TakePiece, wishes: FileWishes): Promise<void> {
    const { signal, lags = () => false, room } = wishes;
    const isWhole = from === 0 && to === size;
    const headers = { accept: '*/*', ...(isWhole ? {} : { range: `bytes=${from}-${to - 1}` }) };
    const answer = await this.#answer({ path: `ipfs/${cid}`, headers, bytes: to - from, signal });
    const { status } = answer;
    const said = answer.header('content-length');
    // Who knows no ranges gives the whole file; what comes before the range is passed over.
    let skip = status === PARTIAL ? 0 : from;
    const length = status === PARTIAL ? to - from : size;
    const isRange = status !== PARTIAL || (!isWhole && answer.header('content-range') === `bytes ${from}-${to - 1}/${size}`);
    if (!isRange || (said !== undefined && said !== String(length))) {
      answer.discard();
      throw new GatewayFailure('lies', 'it gives another range than was asked for');
    }
    const { paceMs } = this.limits;
    let bytes = 0;
    let since = performance.now();
    const paced: TakePiece = (piece) => {
      bytes += piece.length;
      const ms = performance.now() - since;
      if (ms >= paceMs) {
        if (lags((bytes / ms) * 1000)) throw new GatewayFailure('lags', 'it is many times slower than another one');
        [bytes, since] = [0, performance.now()];
      }
      if (skip === 0) return take(piece);
      const left = piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - left.length;
      return left.length === 0 || take(left);
    };
    await answer.read(this.limits, signal, paced, room);
    if (bytes >= LEAST_PACE_BYTES) lags((bytes / (performance.now() - since)) * 1000);
  }

  /** An answer that is held whole. @param most bytes of it @throws GatewayFailure */
  async small(asking: Asking, most: number): Promise<Buffer> {
    const answer = await this.#answer(asking);
    const said = Number(answer.header('content-length'));
    // Copied, as each piece may be a view of a buffer many times its size.
    let held = Buffer.allocUnsafe(said > 0 && said <= most ? said : Math.min(FIRST_BYTES, most));
    let bytes = 0;
    await answer.read(this.limits, asking.signal, (piece) => {
      const end = bytes + piece.length;
      if (end > most) throw new GatewayFailure('lies', `it gives more than ${most} bytes`);
      if (end > held.length) {
        const larger = Buffer.allocUnsafe(Math.min(most, Math.max(end, held.length * 2)));
        held.copy(larger, 0, 0, bytes);
        held = larger;
      }
      piece.copy(held, bytes);
      bytes = end;
      return true;
    });
    return held.subarray(0, bytes);
  }

  /** As `small`; undefined where the gateway says that there is no such thing. */
  async smallOrAbsent(asking: Asking, most: number): Promise<Buffer | undefined> {
    return await unlessAbsent(this.small(asking, most));
  }

  /** Whether it has a block at hand, by its own word: it is told not to look for it elsewhere. @throws GatewayFailure when it does not say */
  async has({ codec, digest }: BlockId, signal?: AbortSignal): Promise<boolean> {
    const path = `ipfs/${cidText({ codec, digest }, 1)}?format=raw`;
    const headers = { accept: 'application/vnd.ipld.raw', 'cache-control': 'only-if-cached' };
    const answer = await unlessAbsent(this.#answer({ path, method: 'HEAD', headers, signal }));
    answer?.discard();
    return answer !== undefined;
  }

  /** CID to which a path leads, by the gateway's own word: the last of `X-Ipfs-Roots`; undefined where it says that there is none. @throws GatewayFailure */
  async rootOf(path: string, signal?: AbortSignal): Promise<string | undefined> {
    const answer = await unlessAbsent(this.#answer({ path, method: 'HEAD', signal }));
    answer?.discard();
    const last = answer?.header('x-ipfs-roots')?.split(',').at(-1)?.trim() ?? '';
    return anyCidIn(last) === undefined ? undefined : last;
  }

  close(): void {
    this.#connections.close();
  }

  async #answer(asking: Asking): Promise<Answer> {
    const answer = await this.#connections.ask({ ...asking, headers: { ...asking.headers, ...this.#headers } });
    const failure = failureIn(answer);
    if (failure === undefined) return answer;
    const isName = answer.status === HTTP_FAULT && asking.path.startsWith('ipns/');
    if (isName && (await this.#findsNothing(asking, answer))) throw new GatewayFailure('absent', 'it finds no such name');
    answer.discard();
    throw failure;
  }

  /** Kubo says of a name that its routers or DNS do not know that the fault is its own: HTTP 500, and why in the body, which a HEAD has not. */
  async #findsNothing(asking: Asking, answer: Answer): Promise<boolean> {
    const { signal } = asking;
    const why = asking.method === 'HEAD' ? await this.#connections.ask({ ...asking, method: 'GET' }) : answer;
    let text = '';
    if (why.status === HTTP_FAULT) {
      await why.read(this.limits, signal, (piece) => {
        text += piece.toString('latin1', 0, MOST_REASON_BYTES);
        return text.length < MOST_REASON_BYTES;
      });
    } else why.discard();
    return NO_SUCH_NAME.test(text);
  }
}

/** What a gateway gives; undefined where it says that there is no such thing. */
async function unlessAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof GatewayFailure && error.kind === 'absent') return undefined;
    throw error;
  }
}

function failureIn(answer: Answer): GatewayFailure | undefined {
  const { status } = answer;
  if (ABSENT.has(status)) return new GatewayFailure('absent', `it does not have it (HTTP ${status})`);
  if (BUSY.has(status))
    return new GatewayFailure('busy', `it is busy (HTTP ${status})`, { waitMs: retryAfterMs(answer.header('retry-after')) });
  if (status >= 500) return new GatewayFailure('broken', `HTTP ${status}`);
  if (status === 401 || status === 403) return new GatewayFailure('lies', `it refuses us (HTTP ${status})`);
  if (status !== OK && status !== PARTIAL) return new GatewayFailure('lies', `HTTP ${status} instead of an answer`);
  if ((answer.header('content-encoding') ?? 'identity') !== 'identity')
    return new GatewayFailure('lies', 'it gives packed bytes, which were not asked for');
  return undefined;
}

/** @param value of `Retry-After`: seconds, or a date; anything else says nothing */
export function retryAfterMs(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
