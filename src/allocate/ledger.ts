/** What peers said they can take, and what they were promised since. */
import { ShardctlError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { Metric, Replication } from '../model.ts';
import type { Peer } from '../peer/peer.ts';
import { type Allocator, allocate, type Candidate } from './allocate.ts';

interface Account {
  readonly peer: Peer;
  metric: Metric;
  promised: number;
}

/** Allocates from the peers that answered when the run began, and keeps the books. */
export class Ledger {
  readonly #accounts = new Map<string, Account>();
  readonly #allocators: readonly Allocator[];

  /**
   * Asks every peer for its metric; one that does not answer is left out, with a warning.
   * @throws ShardctlError `TOO_FEW_PEERS` when fewer answer than a shard needs replicas
   */
  static async open(
    peers: ReadonlyMap<string, Peer>,
    replication: Replication,
    allocators: readonly Allocator[],
    emit: Emit,
  ): Promise<Ledger> {
    const ledger = new Ledger(allocators);
    const failures: string[] = [];
    for (const peer of peers.values()) {
      try {
        const metric = await peer.metric();
        ledger.#accounts.set(peer.name, { peer, metric, promised: 0 });
        emit({ type: 'peer', name: peer.name, freeBytes: metric.freeBytes, usedBytes: metric.usedBytes });
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        failures.push(error.message);
        emit({
          type: 'warning',
          message: `peer ${peer.name} is left out: ${error.message}`,
          ...(error.hint === undefined ? {} : { hint: error.hint }),
        });
      }
    }
    const least = replication.min < 0 ? peers.size : replication.min;
    if (ledger.#accounts.size < least) {
      const reached = `${ledger.#accounts.size} of ${peers.size} peer${peers.size === 1 ? '' : 's'} can be used`;
      throw new ShardctlError('TOO_FEW_PEERS', `${least} replicas are asked for, but ${[reached, ...failures].join('; ')}`, {
        hint: 'add peers with `shardctl peers add`, mount or repair the missing ones, or lower --replication',
      });
    }
    return ledger;
  }

  private constructor(allocators: readonly Allocator[]) {
    this.#allocators = allocators;
  }

  /** Free bytes of each peer as last heard. */
  freeBytes(): Map<string, number> {
    return new Map([...this.#accounts].map(([name, { metric }]) => [name, metric.freeBytes]));
  }

  allocate(cid: string, bytes: number, replication: Replication, except: ReadonlySet<string>): string[] {
    const names = allocate({ cid, bytes, replication, candidates: this.#candidates(), allocators: this.#allocators, except });
    for (const name of names) (this.#accounts.get(name) as Account).promised += bytes;
    return names;
  }

  settle(name: string, bytes: number, metric: Metric): void {
    const account = this.#accounts.get(name);
    if (account === undefined) return;
    account.promised -= bytes;
    account.metric = metric;
  }

  leave(name: string): void {
    this.#accounts.delete(name);
  }

  #candidates(): Candidate[] {
    return [...this.#accounts.values()].map(({ peer, metric, promised }) => ({
      name: peer.name,
      tags: peer.tags,
      freeBytes: metric.freeBytes,
      promisedBytes: promised,
    }));
  }
}
