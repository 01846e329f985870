/** `verify`: whether the peers hold what the snapshots name. Goes through everything, and reports each finding as an event. */
import { setImmediate } from 'node:timers/promises';
import { ShardctlError } from './errors.ts';
import type { Emit } from './events.ts';
import type { PlacedShard } from './model.ts';
import type { Peer, ShardReader } from './peer/peer.ts';

/** A shard that should be there, and what to call it. */
export interface ExpectedShard extends PlacedShard {
  readonly label: string;
}

export interface VerifyOptions {
  /** The shards of the snapshots and their catalogues, each once. */
  readonly shards: Iterable<ExpectedShard>;
  readonly peers: ReadonlyMap<string, Peer>;
  /** Read and hash every block; otherwise each replica is opened, which checks its size and its manifest. */
  readonly readData: boolean;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface Verified {
  readonly shards: number;
  /** Blocks looked at, on all peers together, and (with `readData`) their bytes. */
  readonly blocks: number;
  readonly bytes: number;
  /** Findings. */
  readonly damaged: number;
}

export async function verify({ shards, peers, readData, emit, signal }: VerifyOptions): Promise<Verified> {
  const all = [...shards];
  const counts = { shards: 0, blocks: 0, bytes: 0, damaged: 0 };
  const found = (what: string, where: string, detail: string) => {
    counts.damaged++;
    emit({ type: 'damage', what, where, detail });
  };
  const lost = await unreachable(all, peers);
  for (const [name, { why, shards: held }] of lost) found(`${held} shards`, name, why);

  for (const shard of all) {
    for (const name of shard.peers) {
      const peer = peers.get(name);
      if (peer === undefined || lost.has(name)) continue;
      signal.throwIfAborted();
      // Local reads never wait for the event loop: without this, Ctrl-C would not be heard.
      await setImmediate();
      await verifyReplica(shard, peer, (detail) => found(`${shard.label} ${shard.cid}`, name, detail));
    }
    counts.shards++;
    emit({ type: 'progress', label: 'verify', done: counts.shards, total: all.length, bytes: counts.bytes });
  }
  return counts;

  async function verifyReplica(shard: ExpectedShard, peer: Peer, onDamage: (detail: string) => void): Promise<void> {
    let reader: ShardReader | undefined;
    try {
      reader = await peer.open(shard.cid);
      if (reader.blocks !== shard.blocks) onDamage(`has ${reader.blocks} blocks, not ${shard.blocks}`);
      if (!readData) {
        counts.blocks += reader.blocks;
        return;
      }
      for await (const { bytes } of reader.scan(onDamage)) {
        counts.blocks++;
        counts.bytes += bytes.length;
        signal.throwIfAborted();
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof ShardctlError)) throw error;
      onDamage(error.message);
    } finally {
      await reader?.close();
    }
  }
}

/** Peers that should hold shards and do not answer: one finding each, not one for each of their shards. */
async function unreachable(
  shards: readonly ExpectedShard[],
  peers: ReadonlyMap<string, Peer>,
): Promise<Map<string, { why: string; shards: number }>> {
  const held = new Map<string, number>();
  for (const name of shards.flatMap((shard) => shard.peers)) held.set(name, (held.get(name) ?? 0) + 1);
  const lost = new Map<string, { why: string; shards: number }>();
  for (const [name, count] of held) {
    try {
      const peer = peers.get(name);
      if (peer === undefined) throw new ShardctlError('TOO_FEW_PEERS', `peer "${name}" is not configured any more`);
      await peer.metric();
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      lost.set(name, { why: error.message, shards: count });
    }
  }
  return lost;
}
