/**
 * Several gateways as one: each question goes to the one that is least busy with ours, and to another when it fails. One that lies is
 * asked nothing any more. There is an end within bounds, also when all are bad: each failure costs a gateway a strike, or the question
 * a gateway.
 */
import { setMaxListeners } from 'node:events';
import { ShardctlError } from '../core/errors.ts';
import { type BlockId, RAW } from '../core/model.ts';
import { sleep } from '../core/waiting.ts';
import { cidText } from '../dag/cid.ts';
import { GATEWAY_LIMITS, GatewayFailure, type GatewayLimits } from './failure.ts';
import { Gateway, type Lags } from './gateway.ts';
import type { GatewayAddress } from './request.ts';

/** Failures in a row after which a gateway is asked no more. */
const MOST_STRIKES = 3;
/** So many times as fast another one must be for a gateway to be left for it. */
const LAG = 10;
/** From so long an answer on, a gateway has looked among its peers. */
const SEARCH_MS = 1000;
/** Searches by all gateways that may find nothing, one after another: each takes Kubo half a minute. */
const MOST_IN_VAIN = 3;
/** Times in a row that a gateway may be too busy. */
const MOST_BUSY = 6;

export interface GatewaysOptions {
  readonly limits?: GatewayLimits;
  /** Told once of each gateway that is asked no more, and why. @param name its URL, without credentials */
  readonly onDropped?: (name: string, why: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Which of them is asked first, so that threads which begin together do not all ask the same one. [0] */
  readonly first?: number;
}

/** Questions about things that lie together, such as the nodes of one manifest: the gateway that had the last one is asked first for the next. */
export interface Trail {
  gateway?: Gateway;
}

interface Member {
  readonly gateway: Gateway;
  readonly atHand: Gateway;
  /** Questions under way. */
  asked: number;
  strikes: number;
  busy: number;
  /** Bytes a second of the last stretch of a stream; 0 when there was none. */
  speed: number;
  /** When it may be asked again, by `performance.now`. */
  freeAt: number;
  /** When it failed last, by `performance.now`: what was asked before that fails for the same reason, and counts with it. */
  failedAt: number;
  /** Why it is asked no more. */
  dropped: string | undefined;
}

export class Gateways {
  readonly signal: AbortSignal | undefined;
  readonly #members: readonly Member[];
  readonly #onDropped: (name: string, why: string) => void;
  readonly #limits: GatewayLimits;
  #turn: number;
  /** It had, the last time that another one lacked what was asked for. What is read block by block lies together, mostly: so it is asked first. */
  #finder: Gateway | undefined;
  #inVain = 0;

  /** @throws ShardctlError `USAGE` when there is none, or a URL is none */
  constructor(
    addresses: readonly GatewayAddress[],
    { limits = GATEWAY_LIMITS, onDropped = () => {}, signal, first = 0 }: GatewaysOptions = {},
  ) {
    if (addresses.length === 0) throw new ShardctlError('USAGE', 'there is no gateway to read from', { hint: 'name one with --via URL' });
    const all = addresses.map((address) => new Gateway(address, limits));
    this.#members = all.map((gateway) => ({
      gateway,
      atHand: gateway.atHand(),
      asked: 0,
      strikes: 0,
      busy: 0,
      speed: 0,
      freeAt: 0,
      failedAt: Number.NEGATIVE_INFINITY,
      dropped: undefined,
    }));
    this.#onDropped = onDropped;
    this.#limits = limits;
    this.#turn = first % all.length;
    this.signal = signal;
    // Each request under way listens to it.
    if (signal !== undefined) setMaxListeners(0, signal);
  }

  /** How many are still asked. */
  get left(): number {
    return this.#members.filter(({ dropped }) => dropped === undefined).length;
  }

  /** A block, hashed, from whichever gateway has it. @throws ShardctlError `TOO_FEW_PEERS` when none gives it */
  async block(id: BlockId, trail?: Trail): Promise<Buffer> {
    return await this.asking(`block ${cidText(id, 1)}`, (gateway) => gateway.block(id, this.signal), trail);
  }

  /** The same, for readers of trees, which know blocks by their digests: every gateway finds a block under its raw CID. */
  async read(digest: Uint8Array): Promise<Buffer> {
    return await this.block({ codec: RAW, digest }, this.#finder === undefined ? {} : { gateway: this.#finder });
  }

  /**
   * Does work with one gateway after another until it succeeds. Work that is done again must go on from where it was, and call `progress`
   * whenever it has come further: then what went wrong before does not count any more. A stream is told `lags` of, so that it is left for a
   * gateway that was ten times as fast a short while ago; where there is none, it is waited for, however slow it is. No gateway looks for
   * something among its peers while another one may have it; when that was in vain a few times in a row, none does at all.
   * @param what is asked for, in messages
   * @throws ShardctlError `TOO_FEW_PEERS` when no gateway can do it; what `work` throws that is no GatewayFailure
   */
  async asking<T>(what: string, work: (gateway: Gateway, progress: () => void, lags: Lags) => Promise<T>, trail: Trail = {}): Promise<T> {
    const without = new Map<Member, string>();
    /** First each is asked for what it has at hand; one alone has nobody who could be quicker. */
    let isAtHand = this.left > 1 || this.#inVain >= MOST_IN_VAIN;
    const askedAt = performance.now();
    for (;;) {
      this.signal?.throwIfAborted();
      const member = this.#choose(without, trail);
      if (member === undefined) {
        const pauseMs = this.#pauseMs(without);
        if (pauseMs === undefined && (!isAtHand || this.#inVain >= MOST_IN_VAIN)) {
          if (!isAtHand && performance.now() - askedAt > SEARCH_MS) this.#inVain++;
          throw this.#nobody(what, without);
        }
        if (pauseMs === undefined) {
          isAtHand = false;
          without.clear();
          continue;
        }
        await sleep(pauseMs, this.signal);
        continue;
      }
      const worked = () => {
        member.strikes = 0;
        member.busy = 0;
      };
      const lags = (bytesPerSecond: number) => {
        member.speed = bytesPerSecond;
        return this.#lags(member, without);
      };
      member.asked++;
      const begunAt = performance.now();
      try {
        const result = await work(isAtHand ? member.atHand : member.gateway, worked, lags);
        worked();
        trail.gateway = member.gateway;
        if (without.size > 0) this.#finder = member.gateway;
        if (!isAtHand && (this.left > 1 || performance.now() - begunAt > SEARCH_MS)) this.#inVain = 0;
        return result;
      } catch (error) {
        if (this.signal?.aborted) throw this.signal.reason;
        if (!(error instanceof GatewayFailure)) throw error;
        this.#note(member, error, begunAt, without);
      } finally {
        member.asked--;
      }
    }
  }

  close(): void {
    for (const { gateway } of this.#members) gateway.close();
  }

  /** The last one of the trail; else the one with the fewest questions of ours, and of several each in its turn. */
  #choose(without: ReadonlyMap<Member, string>, trail: Trail): Member | undefined {
    const last = this.#members.find(({ gateway }) => gateway === trail.gateway);
    if (last !== undefined && mayBeAsked(last, without) && !this.#lags(last, without)) return last;
    let best: Member | undefined;
    const count = this.#members.length;
    for (let i = 0; i < count; i++) {
      const member = this.#members[(this.#turn + i) % count] as Member;
      if (!mayBeAsked(member, without) || this.#lags(member, without)) continue;
      if (best === undefined || member.asked < best.asked) best = member;
    }
    this.#turn = (this.#turn + 1) % count;
    return best;
  }

  /** Another one that may be asked instead is many times as fast. The fastest of them never lags. */
  #lags(member: Member, without: ReadonlyMap<Member, string>): boolean {
    return member.speed > 0 && this.#members.some((other) => other.speed > LAG * member.speed && mayBeAsked(other, without));
  }

  /** Until the first of those that are waited for may be asked again; undefined when none is. */
  #pauseMs(without: ReadonlyMap<Member, string>): number | undefined {
    const waiting = this.#members.filter((member) => member.dropped === undefined && !without.has(member));
    if (waiting.length === 0) return undefined;
    return Math.max(1, Math.min(...waiting.map(({ freeAt }) => freeAt)) - performance.now());
  }

  #note(member: Member, { kind, message, waitMs }: GatewayFailure, begunAt: number, without: Map<Member, string>): void {
    const now = performance.now();
    // Of questions that were under way together, and fail together, one counts.
    const counts = begunAt >= member.failedAt ? 1 : 0;
    if (kind === 'busy' || kind === 'broken') member.failedAt = now;
    switch (kind) {
      case 'absent':
        without.set(member, message);
        return;
      case 'lies':
        this.#drop(member, message);
        return;
      case 'busy': {
        const pauseMs = waitMs ?? this.#limits.firstPauseMs * 2 ** member.busy;
        member.busy += counts;
        if (member.busy > MOST_BUSY || pauseMs > this.#limits.longestPauseMs) this.#drop(member, message);
        else member.freeAt = Math.max(member.freeAt, now + pauseMs);
        return;
      }
      case 'lags':
        return;
      default:
        member.strikes += counts;
        if (member.strikes >= MOST_STRIKES) this.#drop(member, message);
        else member.freeAt = Math.max(member.freeAt, now + this.#limits.firstPauseMs * 2 ** Math.max(0, member.strikes - 1));
    }
  }

  #drop(member: Member, why: string): void {
    if (member.dropped !== undefined) return;
    member.dropped = why;
    this.#onDropped(member.gateway.name, why);
  }

  #nobody(what: string, without: ReadonlyMap<Member, string>): ShardctlError {
    const reasons = this.#members.map((member) => `${member.gateway.name}: ${member.dropped ?? without.get(member) ?? 'not asked'}`);
    return new ShardctlError('TOO_FEW_PEERS', `no gateway gives ${what}: ${reasons.join('; ')}`, {
      hint: 'name another gateway with --via URL, then run the same command again: it goes on where it stopped',
    });
  }
}

function mayBeAsked(member: Member, without: ReadonlyMap<Member, string>): boolean {
  return member.dropped === undefined && member.freeAt <= performance.now() && !without.has(member);
}
