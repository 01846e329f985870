/** What keeps replicas from giving a shard while it is read from them: damage, silence, or that a peer gives no bytes as it is set up. */
import { isShortage, ShardctlError } from '../../core/errors.ts';
import type { Peer } from '../../peer/peer.ts';
import { silencesOf } from './check-replica.ts';

/** By the names of the peers. */
export interface Failures {
  /** What is wrong with the replicas of those that have answered. */
  readonly damages: ReadonlyMap<string, string>;
  /** Why peers do not answer any more: what is lacking may be there. */
  readonly silences: ReadonlyMap<string, string>;
  /** Peers that answer and give no bytes as they are set up, by errors whose hints say what would help: what is lacking may be there, too. */
  readonly closed: ReadonlyMap<string, ShardctlError>;
}

/** After so many reads in a row without an answer a peer is not asked again: each costs a whole time-out, and a shard has up to 65,536 blocks. */
const MOST_SILENCES = 3;

/** What went wrong so far while one shard was read. */
export class Reading {
  readonly #damages = new Map<string, string>();
  readonly #closed = new Map<string, ShardctlError>();
  /** The last error of each peer that once did not answer. */
  readonly #silences = new Map<string, ShardctlError>();
  /** By peer: how often in a row it has not answered. */
  readonly #timesSilent = new Map<string, number>();

  /** Undefined when this replica cannot give it; another one may. */
  async of<T>(peer: string, reading: Promise<T> | undefined): Promise<T | undefined> {
    try {
      const read = await reading;
      this.#timesSilent.delete(peer);
      return read;
    } catch (error) {
      if (!(error instanceof ShardctlError) || isShortage(error)) throw error;
      if (error.code === 'TOO_FEW_PEERS') {
        this.#silences.set(peer, error);
        this.#timesSilent.set(peer, (this.#timesSilent.get(peer) ?? 0) + 1);
      } else if (error.code === 'NOT_READABLE') this.#closed.set(peer, error);
      else if (!this.#damages.has(peer)) this.#damages.set(peer, error.message);
      return undefined;
    }
  }

  /** Whether nobody knows how it is with its replica: it did not answer when it was last asked, or gives no bytes. */
  isUnknown(peer: string): boolean {
    return this.#timesSilent.has(peer) || this.#closed.has(peer);
  }

  isLeftOut(peer: string): boolean {
    return (this.#timesSilent.get(peer) ?? 0) >= MOST_SILENCES;
  }

  /**
   * Asks those that once did not answer whether they do now. Where no whole shard could be read, one that answers, and did not give what it
   * should have, is damaged.
   */
  async failures(peers: readonly Peer[], isWhole: boolean): Promise<Failures> {
    const silences = await silencesOf(peers.filter(({ name }) => this.#silences.has(name)));
    const damages = new Map(this.#damages);
    for (const [name, { message }] of isWhole ? [] : this.#silences) {
      if (!silences.has(name) && !damages.has(name)) damages.set(name, message);
    }
    return { damages, silences, closed: this.#closed };
  }
}
