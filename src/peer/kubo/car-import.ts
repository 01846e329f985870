/** A CAR into a Kubo daemon: one `dag/import` that pins its root, streamed from the file. */
import { createReadStream } from 'node:fs';
import { errnoOf, ioError, ShardctlError } from '../../core/errors.ts';
import type { HttpError } from '../http/error.ts';
import type { SealedShard, Throttle } from '../peer.ts';
import { watched } from './liveness.ts';
import type { KuboRpc } from './rpc.ts';

/** Pieces in which the CAR is read; two of them are in memory. Smaller ones where a slow line is to be filled evenly. */
const PIECE_BYTES = 1024 * 1024;
const THROTTLED_PIECE_BYTES = 64 * 1024;
/** Any text that no CAR of ours begins a line with; the body's length is given, so a daemon looks for it only at the end. */
const BOUNDARY = 'shardctl-7c1e63b5a0d94f52';

export interface ImportOptions {
  /** Milliseconds of silence after the last byte: a daemon that lacks a block looks for it in the network for ever, its pin lock held. */
  readonly patienceMs: number;
  readonly throttle?: Throttle | undefined;
  readonly signal: AbortSignal;
}

/**
 * Sends the shard and waits until the daemon says that its root is pinned: it reads every block before it says so. Kubo holds its
 * pin lock all the while, so that garbage collection cannot come in between; with `pin-roots=false` it would not.
 * @throws HttpError when the outcome may be unknown (`mayHaveActed`), ShardctlError `DAMAGE` when the daemon refuses to pin
 */
export async function importCar(rpc: KuboRpc, shard: SealedShard, { patienceMs, throttle, signal }: ImportOptions): Promise<void> {
  const head = Buffer.from(
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="${shard.cid}.car"\r\ncontent-type: application/vnd.ipld.car\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
  const what = `importing ${shard.label} (${shard.cid})`;
  await watched(rpc, what, signal, async (watchedSignal) => {
    const response = await rpc.http.request(
      rpc.call(
        'dag/import',
        { 'pin-roots': true, stats: true },
        {
          headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
          body: () => multipart(head, piecesOf(shard.carPath, throttle), tail),
          bodyBytes: head.length + shard.carBytes + tail.length,
          idleMs: patienceMs,
          what,
          signal: watchedSignal,
        },
      ),
    );
    const found = { root: false, blocks: 0, bytes: 0 };
    for await (const line of response.lines()) readLine(line, found);
    if (found.root && found.blocks > shard.blocks && found.bytes > shard.bytes) return;
    throw incomplete(rpc, `${what}: the answer counts ${found.blocks} blocks${found.root ? '' : ' and does not name the root'}`);
  });

  function readLine(line: unknown, found: { root: boolean; blocks: number; bytes: number }): void {
    const { Root: root, Stats: stats, Message: message } = (line ?? {}) as ImportLine;
    if (typeof message === 'string') throw incomplete(rpc, `${what}: ${message}`);
    found.blocks += stats?.BlockCount ?? 0;
    found.bytes += stats?.BlockBytesCount ?? 0;
    if (root?.Cid?.['/'] !== shard.cid) return;
    if (root.PinErrorMsg) throw unpinned(rpc, shard, root.PinErrorMsg);
    found.root = true;
  }
}

interface ImportLine {
  readonly Root?: { readonly Cid?: { readonly '/'?: string }; readonly PinErrorMsg?: string };
  readonly Stats?: { readonly BlockCount?: number; readonly BlockBytesCount?: number };
  readonly Message?: unknown;
}

async function* multipart(head: Buffer, content: AsyncIterable<Buffer>, tail: Buffer): AsyncGenerator<Buffer> {
  yield head;
  yield* content;
  yield tail;
}

async function* piecesOf(carPath: string, throttle: Throttle | undefined): AsyncGenerator<Buffer> {
  const pieces = createReadStream(carPath, { highWaterMark: throttle === undefined ? PIECE_BYTES : THROTTLED_PIECE_BYTES });
  try {
    for await (const piece of pieces) {
      await throttle?.((piece as Buffer).length);
      yield piece as Buffer;
    }
  } catch (error) {
    throw errnoOf(error) === undefined ? error : ioError(error, 'reading the CAR of a shard', carPath);
  }
}

/** A block that is missing from the CAR: the daemon answers 200, and says this about the root. */
function unpinned({ http }: KuboRpc, { label, cid }: SealedShard, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${http.who} (${http.address}) does not pin ${label} (${cid}): ${why}`, {
    hint: 'its CAR lacks a block, or the datastore of the peer cannot be read: look at the log of the daemon',
  });
}

function incomplete({ http }: KuboRpc, what: string): HttpError | ShardctlError {
  return new ShardctlError('TOO_FEW_PEERS', `${http.who} (${http.address}) did not finish ${what}`, { retryable: true });
}
