/**
 * Bodies of small files: read, hashed and sent in one go, all through one buffer. A buffer for each lies outside of V8's heap, and to give
 * those back was most of what the garbage collector did: with 22,000 files of 10 KiB asked for once, it took 28 % of the time.
 */
import { readSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sha256 } from '../../dag/cid.ts';
import type { Extent } from '../../read/stored/stored-blocks.ts';
import { countUntilSent } from './send.ts';

/** Up to here a whole body is read before the first byte is sent: it takes less than to wait for the client in between. */
export const SMALL_BYTES = 64 * 1024;

let scratch = Buffer.allocUnsafeSlow(SMALL_BYTES);

/**
 * The block that lies there. Valid until the next call or until `endWith`, whichever is first.
 * @returns undefined when it is not intact there or is large; whoever reads it by other means then says what is wrong
 */
export function readSmall(extent: Extent, digest: Uint8Array): Buffer | undefined {
  const { file, at, length } = extent;
  if (length > SMALL_BYTES) return undefined;
  const body = scratch.subarray(0, length);
  try {
    return readSync(file.fd, body, 0, length, at) === length && Buffer.compare(sha256(body), digest) === 0 ? body : undefined;
  } catch {
    return undefined;
  }
}

/** Ends the response with this body, which may be one of `readSmall`. */
export function endWith(request: IncomingMessage, response: ServerResponse, body: Uint8Array): void {
  const { socket } = response;
  response.end(body);
  if (body.buffer !== scratch.buffer) return;
  // Written into again only when the system has all of it.
  const isSent = request.httpVersionMajor === 1 && socket !== null && !('encrypted' in socket) && socket.writableLength === 0;
  if (isSent) return;
  scratch = Buffer.allocUnsafeSlow(SMALL_BYTES);
  countUntilSent(response, SMALL_BYTES);
}
