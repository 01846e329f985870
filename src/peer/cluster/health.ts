/**
 * Whether the members can be counted on. A member is no better than its Kubo, which dies alone when memory runs out, while the
 * Cluster's daemon goes on sending pings: what it has pinned cannot be read, and the Cluster allocates nothing to it. All are asked at
 * once, and not for each shard.
 */

import { ShardctlError } from '../../core/errors.ts';
import { endsWithin } from '../../core/waiting.ts';
import { PROMPT_MS } from '../http/client.ts';
import { HttpError, isSilence } from '../http/error.ts';
import type { Peer } from '../peer.ts';
import type { ClusterApi } from './api.ts';

/** After this time they are asked again, and until that is answered the last answers count: a Cluster asks a Kubo that failed once a second at most. */
const FRESH_MS = 10_000;

/** Why a member cannot be counted on. */
export interface Ailment {
  readonly why: string;
  /** It takes questions and does not answer: the Cluster waits for it in vain, and so does whoever asks the Cluster about it. */
  readonly hangs: boolean;
}

/** The Kubo of a member, as far as its address is known. */
export interface MemberKubo extends Peer {
  /** Asks whether it is there. @throws ShardctlError when it does not answer, or when another daemon does */
  answers(): Promise<void>;
}

export interface HealthOptions {
  readonly api: ClusterApi;
  /** By ID of the member. */
  readonly kubos: ReadonlyMap<string, MemberKubo>;
  readonly now: () => number;
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

  /** Those of the members that cannot be counted on, by ID. @param ids of members that send pings */
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
    // A failure is not remembered: the next to ask tries again.
    const end = (last = this.#last) => {
      if (this.#asking !== asking) return;
      this.#asking = undefined;
      this.#last = last;
    };
    answer.then(end, () => end());
    return asking;
  }

  /** Whose Kubo is known not to answer need not be asked by way of the Cluster. */
  async #ask(ids: readonly string[]): Promise<ReadonlyMap<string, Ailment>> {
    const { kubos } = this.#options;
    const own = new Map<string, Ailment>();
    const ask = async (id: string) => {
      const kubo = kubos.get(id);
      const ailment = kubo === undefined ? undefined : await ailmentOf(kubo);
      if (ailment !== undefined) own.set(id, ailment);
    };
    await Promise.all(ids.map(ask));
    return new Map([...own, ...(await this.#daemons(ids.filter((id) => !own.has(id))))]);
  }

  /** What the Cluster's daemons say. Each answers for its Kubo, too; where we can ask that ourselves, our own answer counts. */
  async #daemons(ids: readonly string[]): Promise<Map<string, Ailment>> {
    const { api, kubos } = this.#options;
    const ailing = new Map<string, Ailment>();
    const waiting = new Set(ids);
    if (waiting.size === 0) return ailing;
    try {
      for await (const { id, error, ipfs } of api.identities()) {
        if (!waiting.delete(id)) continue;
        if (error !== '') ailing.set(id, { why: `its Cluster daemon does not answer: ${error}`, hangs: false });
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
