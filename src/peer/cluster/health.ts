/**
 * Whether members that send pings can be counted on. When memory runs out, a member's Kubo dies alone, and the member's Cluster daemon goes
 * on sending pings: the shards of that member cannot be read, and the Cluster allocates nothing to it. All members are asked at once, and
 * not again for each shard.
 */
import { ShardctlError } from '../../core/errors.ts';
import { endsWithin, sleep } from '../../core/waiting.ts';
import { PROMPT_MS } from '../http/client.ts';
import { HttpError, isSilence } from '../http/error.ts';
import type { Peer } from '../peer.ts';
import type { ClusterApi } from './api.ts';

/**
 * After this time the members are asked again, and the last answers are used until the new ones are there: a Cluster asks a Kubo that has
 * failed at most once a second, so that a question may take that long.
 */
const FRESH_MS = 10_000;

/**
 * What the Cluster says of a member that it did not try to reach, because it has tried in vain a short while ago (libp2p waits 5 s after
 * the first time, and a second more, four, nine after the next). It says nothing about a member that was started again meanwhile: so it is
 * asked again, for so long, with such pauses.
 */
const NOT_TRIED = /dial backoff/;
const NOT_TRIED_MS = 15_000;
const PAUSE_MS = 1_500;

/** Why a member that sends pings cannot be counted on. */
export interface Ailment {
  readonly why: string;
  /** Whether the Cluster says so without having tried. */
  readonly isGuess?: boolean;
  /** Whether it takes questions and does not answer. The Cluster waits for such a member, and so does everybody who asks the Cluster about it. */
  readonly hangs: boolean;
}

/** The Kubo of a member, where its address is known. */
export interface MemberKubo extends Peer {
  /** Asks whether it is there now. @throws ShardctlError when it does not answer, or when another daemon does */
  answers(): Promise<void>;
}

export interface HealthOptions {
  readonly api: ClusterApi;
  /** By ID of the member. */
  readonly kubos: ReadonlyMap<string, MemberKubo>;
  readonly now: () => number;
  /** Milliseconds before members are asked again that the Cluster has not tried to reach. [1.5 s] */
  readonly pauseMs?: number;
}

interface Asked {
  readonly ids: ReadonlySet<string>;
  readonly ailing: ReadonlyMap<string, Ailment>;
  readonly at: number;
}

interface Asking {
  readonly ids: ReadonlySet<string>;
  readonly answer: Promise<Asked>;
}

export class Health {
  readonly #options: HealthOptions;
  #last: Asked | undefined;
  #asking: Asking | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** The members that cannot be counted on, by ID. @param ids of members that send pings */
  async ailing(ids: readonly string[]): Promise<ReadonlyMap<string, Ailment>> {
    const covers = (asked: ReadonlySet<string>) => ids.every((id) => asked.has(id));
    const last = this.#last !== undefined && covers(this.#last.ids) ? this.#last : undefined;
    if (last !== undefined && this.#options.now() - last.at <= FRESH_MS) return last.ailing;
    const asking = this.#asking !== undefined && covers(this.#asking.ids) ? this.#asking : this.#askAnew(ids);
    return (last ?? (await asking.answer)).ailing;
  }

  #askAnew(ids: readonly string[]): Asking {
    const asked = new Set(ids);
    const answer = this.#ask(ids).then((ailing) => ({ ids: asked, ailing, at: this.#options.now() }));
    const asking = { ids: asked, answer };
    this.#asking = asking;
    // A failure is not remembered: the next call asks again.
    const end = (last = this.#last) => {
      if (this.#asking !== asking) return;
      this.#asking = undefined;
      this.#last = last;
    };
    answer.then(end, () => end());
    return asking;
  }

  /** Asks each Kubo with a known address first. A member whose Kubo does not answer is not asked through the Cluster as well. */
  async #ask(ids: readonly string[]): Promise<ReadonlyMap<string, Ailment>> {
    const { kubos } = this.#options;
    const own = new Map<string, Ailment>();
    const ask = async (id: string) => {
      const kubo = kubos.get(id);
      const ailment = kubo === undefined ? undefined : await ailmentOf(kubo);
      if (ailment !== undefined) own.set(id, ailment);
    };
    await Promise.all(ids.map(ask));
    return new Map([...own, ...(await this.#tried(ids.filter((id) => !own.has(id))))]);
  }

  /** What the Cluster's daemons say when they have tried to reach one another, or do not try for long. */
  async #tried(ids: readonly string[]): Promise<ReadonlyMap<string, Ailment>> {
    const { pauseMs = PAUSE_MS } = this.#options;
    let ailing = await this.#daemons(ids);
    for (let waited = 0; waited < NOT_TRIED_MS; waited += PAUSE_MS) {
      const again = [...ailing].flatMap(([id, { isGuess }]) => (isGuess === true ? [id] : []));
      if (again.length === 0) break;
      await sleep(pauseMs);
      ailing = new Map([...[...ailing].filter(([id]) => !again.includes(id)), ...(await this.#daemons(again))]);
    }
    return ailing;
  }

  /** What the Cluster's daemons say. Each answers for its Kubo, too; where this process can ask the Kubo itself, that answer counts. */
  async #daemons(ids: readonly string[]): Promise<Map<string, Ailment>> {
    const { api, kubos } = this.#options;
    const ailing = new Map<string, Ailment>();
    const waiting = new Set(ids);
    if (waiting.size === 0) return ailing;
    try {
      for await (const { id, error, ipfs } of api.identities()) {
        if (!waiting.delete(id)) continue;
        const why = `its Cluster daemon does not answer: ${error}`;
        const guess = NOT_TRIED.test(error) ? { isGuess: true } : {};
        if (error !== '') ailing.set(id, { why, ...guess, hangs: false });
        else if (ipfs.error !== '' && !kubos.has(id)) ailing.set(id, { why: `its Kubo does not answer: ${ipfs.error}`, hangs: false });
        if (waiting.size === 0) break;
      }
    } catch (error) {
      if (!(error instanceof HttpError) || !isSilence(error.cause)) throw error;
    }
    const why = `it does not answer within ${PROMPT_MS / 1000} s: its Cluster daemon hangs, or its Kubo`;
    for (const id of waiting) ailing.set(id, { why, hangs: true });
    return ailing;
  }
}

async function ailmentOf(kubo: MemberKubo): Promise<Ailment | undefined> {
  try {
    const isPrompt = await endsWithin(PROMPT_MS, kubo.answers());
    return isPrompt ? undefined : { why: `its Kubo does not answer within ${PROMPT_MS / 1000} s`, hangs: true };
  } catch (error) {
    if (!(error instanceof HttpError)) {
      if (error instanceof ShardctlError) return { why: error.message, hangs: false };
      throw error;
    }
    return { why: `its Kubo does not answer: ${error.message}`, hangs: isSilence(error.cause) };
  }
}
