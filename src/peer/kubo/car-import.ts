/** Sends a CAR to a Kubo daemon: one `dag/import` that pins the root. */
import { ShardctlError } from '../../core/errors.ts';
import { shardBody } from '../http/car-body.ts';
import type { SealedShard, Throttle } from '../peer.ts';
import { watched } from './liveness.ts';
import type { KuboRpc } from './rpc.ts';

export interface ImportOptions {
  /** Milliseconds of silence after the last byte. A daemon that lacks a block looks for it in the network for ever, with its pin lock held. */
  readonly patienceMs: number;
  readonly throttle?: Throttle | undefined;
  readonly signal: AbortSignal;
}

/** What the lines of the answer add up to. */
interface Found {
  root: boolean;
  blocks: number;
  bytes: number;
}

interface ImportLine {
  readonly Root?: { readonly Cid?: { readonly '/'?: string }; readonly PinErrorMsg?: string };
  readonly Stats?: { readonly BlockCount?: number; readonly BlockBytesCount?: number };
  readonly Message?: unknown;
}

/**
 * Sends the shard and waits until the daemon says that its root is pinned: the daemon reads every block before it says so. Kubo holds
 * its pin lock from the first byte to the pin, so that garbage collection cannot come in between; with `pin-roots=false` it would not.
 * @throws HttpError when the outcome may be unknown (`mayHaveActed`), ShardctlError `DAMAGE` when the daemon refuses to pin
 */
export async function importCar(rpc: KuboRpc, shard: SealedShard, { patienceMs, throttle, signal }: ImportOptions): Promise<void> {
  const { contentType, bytes, body } = await shardBody(shard, throttle);
  const what = `importing ${shard.label} (${shard.cid})`;
  await watched(rpc, what, signal, async (watchedSignal) => {
    const response = await rpc.http.request(
      rpc.call(
        'dag/import',
        { 'pin-roots': true, stats: true },
        { headers: { 'content-type': contentType }, body, bodyBytes: bytes, idleMs: patienceMs, what, signal: watchedSignal },
      ),
    );
    const found: Found = { root: false, blocks: 0, bytes: 0 };
    for await (const line of response.lines()) readLine(line, found);
    if (found.root && found.blocks > shard.blocks && found.bytes > shard.bytes) return;
    throw incomplete(rpc, `${what}: the answer counts ${found.blocks} blocks${found.root ? '' : ' and does not name the root'}`);
  });

  function readLine(line: unknown, found: Found): void {
    const { Root: root, Stats: stats, Message: message } = (line ?? {}) as ImportLine;
    if (typeof message === 'string') throw incomplete(rpc, `${what}: ${message}`);
    found.blocks += stats?.BlockCount ?? 0;
    found.bytes += stats?.BlockBytesCount ?? 0;
    if (root?.Cid?.['/'] !== shard.cid) return;
    if (root.PinErrorMsg) throw unpinned(rpc, shard, root.PinErrorMsg);
    found.root = true;
  }
}

/** Where the CAR lacks a block, the daemon answers 200, and gives the reason with the root. */
function unpinned({ http }: KuboRpc, { label, cid }: SealedShard, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${http.who} (${http.address}) does not pin ${label} (${cid}): ${why}`, {
    hint: 'its CAR lacks a block, or the datastore of the peer cannot be read: look at the log of the daemon',
  });
}

function incomplete({ http }: KuboRpc, what: string): ShardctlError {
  return new ShardctlError('TOO_FEW_PEERS', `${http.who} (${http.address}) did not finish ${what}`, { retryable: true });
}
