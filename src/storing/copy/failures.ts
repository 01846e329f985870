/** What keeps replicas from giving a shard while it is read from them: damage, silence, or that a peer which answers could not be read. */
import { isShortage, ShardctlError } from '../../core/errors.ts';
import type { Peer } from '../../peer/peer.ts';
import { silencesOf } from './check-replica.ts';

/** By the names of the peers. */
export interface Failures {
  /** What is wrong with the replicas of those that have answered. */
  readonly damages: ReadonlyMap<string, string>;
  /** Why peers do not answer any more: what is lacking may be there. */
  readonly silences: ReadonlyMap<string, string>;
  /**
   * Peers that answer and were not read where something is lacking, by the last errors: as they are set up they give no bytes, or they did
   * not answer then and do now, as after a restart. What is lacking may be there, too.
   */
  readonly unread: ReadonlyMap<string, ShardctlError>;
}

/** After so many reads in a row without an answer a peer is not asked again: each costs a whole time-out, and a shard has up to 65,536 blocks. */
const MOST_SILENCES = 3;

/** What went wrong so far while one shard was read. */
export class Reading {
  readonly #damages = new Map<string, string>();
  /** Why the last read of a peer says nothing about its replica: there was no answer, or it gives no bytes. */
  readonly #unknown = new Map<string, ShardctlError>();
  /** Those of `#unknown` when something was found to be lacking. */
  readonly #unread = new Map<string, ShardctlError>();
  /** Peers that once did not answer. */
  readonly #silent = new Set<string>();
  /** By peer: how often in a row it has not answered. */
  readonly #timesSilent = new Map<string, number>();

  /** Undefined when this replica cannot give it; another one may. */
  async of<T>(peer: string, reading: Promise<T> | undefined): Promise<T | undefined> {
    try {
      const read = await reading;
      this.#hasAnswered(peer);
      return read;
    } catch (error) {
      if (!(error instanceof ShardctlError) || isShortage(error)) throw error;
      if (error.code === 'TOO_FEW_PEERS') {
        this.#silent.add(peer);
        this.#unknown.set(peer, error);
        this.#timesSilent.set(peer, (this.#timesSilent.get(peer) ?? 0) + 1);
      } else if (error.code === 'NOT_READABLE') this.#unknown.set(peer, error);
      else {
        this.#hasAnswered(peer);
        if (!this.#damages.has(peer)) this.#damages.set(peer, error.message);
      }
      return undefined;
    }
  }

  #hasAnswered(peer: string): void {
    this.#unknown.delete(peer);
    this.#timesSilent.delete(peer);
  }

  /** Whether nobody knows how it is with its replica: it did not answer when it was last asked, or gives no bytes. */
  isUnknown(peer: string): boolean {
    return this.#unknown.has(peer);
  }

  isLeftOut(peer: string): boolean {
    return (this.#timesSilent.get(peer) ?? 0) >= MOST_SILENCES;
  }

  /** Nobody has given a block, or the list of them: the peers of whose replicas nobody knows how they are may have it. */
  noteLack(): void {
    for (const [peer, error] of this.#unknown) this.#unread.set(peer, error);
  }

  /**
   * Asks those that once did not answer whether they do now. That one does is no evidence against its replica: a daemon that restarts was
   * left out meanwhile, and most blocks were never asked for. What a peer that answers lacks is told by an error of its own, as damage.
   */
  async failures(peers: readonly Peer[]): Promise<Failures> {
    const silences = await silencesOf(peers.filter(({ name }) => this.#silent.has(name)));
    const unread = new Map([...this.#unread].filter(([name]) => !silences.has(name)));
    return { damages: this.#damages, silences, unread };
  }
}
