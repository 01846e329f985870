/** How much room there is on the peers that a follower fills. */
import { ShardctlError } from '../core/errors.ts';
import type { Peer } from '../peer/peer.ts';
import { RESERVE_BYTES } from '../storing/allocate/allocators.ts';

/** Free bytes of each peer that answers and is to get shards, without those that stay free. */
export class Space {
  readonly #peers: readonly Peer[];
  readonly #free = new Map<string, number>();

  private constructor(peers: readonly Peer[]) {
    this.#peers = peers;
  }

  /** @throws ShardctlError the first failure, when no peer answers */
  static async on(peers: readonly Peer[]): Promise<Space> {
    const space = new Space(peers);
    await space.renew();
    return space;
  }

  /** Asks all peers again. Throws as `on`. */
  async renew(): Promise<void> {
    this.#free.clear();
    let failure: ShardctlError | undefined;
    for (const peer of this.#peers) {
      if (peer.drained === true) continue;
      try {
        const { freeBytes } = await peer.metric();
        this.#free.set(peer.name, Math.max(0, freeBytes - Math.max(peer.reserve ?? 0, RESERVE_BYTES)));
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        failure ??= error;
      }
    }
    if (this.#free.size === 0 && failure !== undefined) throw failure;
  }

  /** Of all peers together. A peer that shares its disk with another counts its bytes, too: `claim` then finds that they are gone. */
  get bytes(): number {
    return [...this.#free.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  hasRoomFor(bytes: number): boolean {
    return [...this.#free.values()].some((free) => free >= bytes);
  }

  /** Takes so many bytes of the peer that has most. @returns its name; undefined when none has as many */
  claim(bytes: number): string | undefined {
    const [roomiest] = [...this.#free].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
    if (roomiest === undefined || roomiest[1] < bytes) return undefined;
    this.#free.set(roomiest[0], roomiest[1] - bytes);
    return roomiest[0];
  }
}
