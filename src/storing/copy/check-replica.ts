/** Checks one replica of a shard. `verify` reports what is wrong with it, `repair` mends it. */
import { isShortage, ShardctlError } from '../../core/errors.ts';
import type { PlacedShard } from '../../core/model.ts';
import type { Peer, ShardContents, ShardReader } from '../../peer/peer.ts';

export interface CheckOptions {
  /** Read and hash every block; otherwise the replica is opened, which checks its size and its manifest. */
  readonly readData: boolean;
  readonly onDamage: (detail: string) => void;
  readonly signal: AbortSignal;
}

export interface CheckedReplica {
  /** Blocks looked at, and (with `readData`) their bytes. */
  readonly blocks: number;
  readonly bytes: number;
  /** Undefined when it cannot even be opened. */
  readonly contents: ShardContents | undefined;
  /** Why this says nothing about the replica: the bytes may have come from other peers, or cannot be read at all. */
  readonly hearsay?: string;
  /** Why the peer does not answer any more, which says nothing about the replica. */
  readonly silence?: string;
}

const SECOND_HAND = 'its shards were read through a gateway, which may have them from other peers';

/** Reports damage and does not throw it. */
export async function checkReplica(shard: Pick<PlacedShard, 'cid' | 'blocks'>, peer: Peer, options: CheckOptions): Promise<CheckedReplica> {
  const { readData, onDamage, signal } = options;
  let reader: ShardReader | undefined;
  let contents: ShardContents | undefined;
  let blocks = 0;
  let bytes = 0;
  try {
    reader = await peer.open(shard.cid);
    contents = reader.contents();
    const shortfall = await peer.shortfall?.(shard.cid);
    if (shortfall !== undefined) onDamage(shortfall);
    if (reader.blocks !== shard.blocks) onDamage(`has ${reader.blocks} blocks, not ${shard.blocks}`);
    const hearsay = reader.isSecondHand === true ? { hearsay: SECOND_HAND } : {};
    // A scan reports it by itself.
    if (!readData && reader.damage !== undefined) onDamage(reader.damage);
    if (!readData) return { blocks: reader.blocks, bytes, contents, ...hearsay };
    for await (const block of reader.scan(onDamage)) {
      blocks++;
      bytes += block.bytes.length;
      signal.throwIfAborted();
    }
    return { blocks, bytes, contents, ...hearsay };
  } catch (error) {
    if (signal.aborted || !(error instanceof ShardctlError) || isShortage(error)) throw error;
    if (error.code === 'NOT_READABLE') {
      const shortfall = await peer.shortfall?.(shard.cid);
      if (shortfall !== undefined) onDamage(shortfall);
      return { blocks, bytes, contents, hearsay: error.message };
    }
    const silence = error.code === 'TOO_FEW_PEERS' ? await silenceOf(peer) : undefined;
    if (silence !== undefined) return { blocks, bytes, contents, silence };
    // Also what a peer that answers could not give: nobody has read it, so no other copy may be let go for this one.
    onDamage(error.message);
  } finally {
    await reader?.close();
  }
  return { blocks, bytes, contents };
}

/** Why a peer does not answer; undefined when it does. */
export async function silenceOf(peer: Peer): Promise<string | undefined> {
  try {
    await peer.metric();
    return undefined;
  } catch (error) {
    if (error instanceof ShardctlError) return error.message;
    throw error;
  }
}

/** Why peers do not answer, by their names. All are asked at once: this takes as long as the slowest. */
export async function silencesOf(peers: Iterable<Peer>): Promise<Map<string, string>> {
  const silences = await Promise.all([...peers].map(async (peer) => [peer.name, await silenceOf(peer)] as const));
  return new Map(silences.flatMap(([name, silence]) => (silence === undefined ? [] : [[name, silence]])));
}
