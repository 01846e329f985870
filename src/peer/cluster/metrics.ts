/**
 * What the members can take, by the metrics that they send one another. A member that has just started, or a REST peer that
 * has, knows only its own for up to half a minute: absent is not infinite, and not zero either, so the first to ask waits.
 */
import { sleep } from '../../core/waiting.ts';
import { type ClusterApi, PING } from './api.ts';
import type { Ailment, Health } from './health.ts';

/** Every put asks anew what its peer can take; within this time the answer is the same. */
const FRESH_MS = 500;
const POLL_MS = 500;
const FREE_SPACE = 'freespace';
const TAG = 'tag:';

/** A member as its metrics show it, and as it answers. */
export interface MemberState {
  /** It has sent a ping that still counts, and answers, and so does its Kubo. */
  readonly alive: boolean;
  /** Why it is not alive although it sends pings. */
  readonly ailment?: Ailment;
  /** Bytes; undefined when it says nothing valid: it is full, or has only just started. The Cluster allocates it nothing then. */
  readonly freeBytes: number | undefined;
  /** Milliseconds since 1970 at which the REST peer heard it. */
  readonly at: number;
  readonly tags: Readonly<Record<string, string>>;
}

const UNHEARD: MemberState = { alive: false, freeBytes: undefined, at: 0, tags: {} };

export interface MetricsOptions {
  readonly api: ClusterApi;
  /** IDs of the members that are expected. */
  readonly expected: readonly string[];
  readonly health: Pick<Health, 'ailing'>;
  /** Longest wait for the metrics of those, when first asked. */
  readonly startWaitMs: number;
  readonly now: () => number;
}

export class Metrics {
  readonly #options: MetricsOptions;
  #last: { readonly at: number; readonly states: Promise<Map<string, MemberState>> } | undefined;
  #hasStarted = false;

  constructor(options: MetricsOptions) {
    this.#options = options;
  }

  /** @throws ShardctlError when the REST peer cannot be asked */
  async of(id: string): Promise<MemberState> {
    return (await this.all()).get(id) ?? UNHEARD;
  }

  /** By member ID. */
  async all(): Promise<Map<string, MemberState>> {
    const now = this.#options.now();
    if (this.#last === undefined || now - this.#last.at > FRESH_MS) {
      const states = (this.#hasStarted ? this.#read() : this.#awaitStart()).then((heard) => this.#withHealth(heard));
      // A failure is not remembered: the next to ask tries again.
      states.catch(() => {
        this.#last = undefined;
      });
      this.#last = { at: now, states };
    }
    return await this.#last.states;
  }

  async #withHealth(states: Map<string, MemberState>): Promise<Map<string, MemberState>> {
    const { expected, health } = this.#options;
    const ailing = await health.ailing(expected.filter((id) => states.get(id)?.alive === true));
    for (const [id, ailment] of ailing) {
      const state = states.get(id);
      if (state?.alive === true) states.set(id, { ...state, alive: false, ailment });
    }
    return states;
  }

  async #awaitStart(): Promise<Map<string, MemberState>> {
    const { api, expected, startWaitMs, now } = this.#options;
    const deadline = now() + startWaitMs;
    for (;;) {
      const states = await this.#read();
      const missing = expected.filter((id) => !isHeard(states.get(id)));
      // A member that stopped sending has raised an alert; one of which nothing was ever heard may be on its way.
      const silent = missing.length === 0 ? new Set<string>() : await api.silent();
      if (missing.every((id) => silent.has(id)) || now() >= deadline) {
        this.#hasStarted = true;
        return states;
      }
      await sleep(POLL_MS);
    }
  }

  async #read(): Promise<Map<string, MemberState>> {
    const { api, now } = this.#options;
    const names = (await api.metricNames()).filter((name) => name === FREE_SPACE || name === PING || name.startsWith(TAG));
    const states = new Map<string, { alive: boolean; freeBytes: number | undefined; at: number; tags: Record<string, string> }>();
    const answers = await Promise.all(names.map(async (name) => ({ name, metrics: await api.metrics(name) })));
    for (const { name, metrics } of answers) {
      for (const { peer, value, valid, received_at } of metrics) {
        if (!valid) continue;
        const state = states.get(peer) ?? { ...UNHEARD, tags: {} };
        states.set(peer, state);
        if (name === PING) state.alive = true;
        else if (name.startsWith(TAG)) state.tags[name.slice(TAG.length)] = value;
        else {
          state.freeBytes = bytesOf(value);
          // Two clocks: no metric is from the future.
          state.at = Math.min(now(), received_at / 1e6);
        }
      }
    }
    return states;
  }
}

/** Tags without free space is a member that is full: waiting does not help. */
function isHeard(state: MemberState | undefined): boolean {
  return state?.alive === true && (state.freeBytes !== undefined || Object.keys(state.tags).length > 0);
}

/** The metric is an unsigned integer as text; what no disk has is no answer. */
function bytesOf(value: string): number | undefined {
  const bytes = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
