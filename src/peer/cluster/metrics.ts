/**
 * What the members can take, by the metrics that they send one another. A daemon that has just started knows only its own metrics for up to
 * half a minute. A metric that is absent then means neither no space nor endless space, so the first question waits for it.
 */
import { sleep } from '../../core/waiting.ts';
import { type ClusterApi, PING } from './api.ts';
import type { Ailment, Health } from './health.ts';

/** Every put asks what its peer can take; within this time it gets the last answer. */
const FRESH_MS = 500;
const POLL_MS = 500;
const FREE_SPACE = 'freespace';
const TAG = 'tag:';

/** A member as its metrics show it, and as it answers. */
export interface MemberState {
  /** Its last ping is still valid, and the member and its Kubo answer. */
  readonly alive: boolean;
  /** Why it is not alive although its last ping is still valid. */
  readonly ailment?: Ailment;
  /** Undefined when it has sent no valid metric: it is full, or has only just started. The Cluster allocates nothing to it then. */
  readonly freeBytes: number | undefined;
  /** When the member with the REST API received the metric, milliseconds since 1970. */
  readonly at: number;
  readonly tags: Readonly<Record<string, string>>;
}

const UNHEARD: MemberState = { alive: false, freeBytes: undefined, at: 0, tags: {} };

export interface MetricsOptions {
  readonly api: ClusterApi;
  /** IDs of the members that are expected. */
  readonly expected: readonly string[];
  readonly health: Pick<Health, 'ailing'>;
  /** Longest wait for the metrics of all of them, when they are first asked for. */
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

  /** @throws ShardctlError when the REST API does not answer */
  async of(id: string): Promise<MemberState> {
    return (await this.all()).get(id) ?? UNHEARD;
  }

  /** By member ID. */
  async all(): Promise<Map<string, MemberState>> {
    const now = this.#options.now();
    if (this.#last === undefined || now - this.#last.at > FRESH_MS) {
      const states = (this.#hasStarted ? this.#read() : this.#awaitStart()).then((heard) => this.#withHealth(heard));
      // A failure is not remembered: the next call asks again. One that comes late must not take the answer to a later question along.
      states.catch(() => {
        if (this.#last?.states === states) this.#last = undefined;
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
      // A member that has stopped sending has raised an alert. One that has not, and of which nothing was heard, may still be starting.
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
          // Received by another machine's clock, which may be ahead: no metric is from the future.
          state.at = Math.min(now(), received_at / 1e6);
        }
      }
    }
    return states;
  }
}

/** A member with tags and without free space is full, and is not waited for. */
function isHeard(state: MemberState | undefined): boolean {
  return state?.alive === true && (state.freeBytes !== undefined || Object.keys(state.tags).length > 0);
}

/** The metric is an unsigned integer as text. A number that no disk can have counts as none. */
function bytesOf(value: string): number | undefined {
  const bytes = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
