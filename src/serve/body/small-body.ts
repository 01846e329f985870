/**
 * Bodies of small files: read, hashed and sent in one go, all through one buffer. A buffer for each lies outside of V8's heap, and to give
 * those back was most of what the garbage collector did: with 22,000 files of 10 KiB asked for once, it took 28 % of the time.
 */
import { readSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Window } from '../../read/files/file-bytes.ts';
import type { Extent } from '../../read/stored/stored-blocks.ts';
import { countUntilSent } from './send.ts';

/** Up to here a whole body is read before the first byte is sent: it takes less than to wait for the client in between. */
export const SMALL_BYTES = 64 * 1024;
/** Before the body is room for its header, so that both are one piece. */
export const HEADER_ROOM = 1024;

let scratch = newScratch();

function newScratch(): Buffer {
  return Buffer.allocUnsafeSlow(HEADER_ROOM + SMALL_BYTES);
}

/**
 * The block that lies there. Valid until the next call or until it is sent, whichever is first.
 * @returns undefined when it is not intact there or is large; whoever reads it by other means then says what is wrong
 */
export function readSmall(extent: Extent, digest: Uint8Array): Buffer | undefined {
  const { file, at, length } = extent;
  if (length > SMALL_BYTES) return undefined;
  const body = scratch.subarray(HEADER_ROOM, HEADER_ROOM + length);
  try {
    return readSync(file.fd, body, 0, length, at) === length && file.isIntact(at, body, digest) ? body : undefined;
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
  scratch = newScratch();
  countUntilSent(response, SMALL_BYTES);
}

/**
 * Writes a header and its body, which may be one of `readSmall`, to a connection that is not encrypted, as one piece.
 * @param header of at most `HEADER_ROOM` characters, each of which is a byte @param body of at most `SMALL_BYTES`
 */
export function writePiece(socket: Socket, header: string, body: Uint8Array): void {
  if (body.buffer !== scratch.buffer) scratch.set(body, HEADER_ROOM);
  const from = HEADER_ROOM - header.length;
  scratch.write(header, from, 'latin1');
  socket.write(scratch.subarray(from, HEADER_ROOM + body.length));
  // As above.
  if (socket.writableLength > 0) scratch = newScratch();
}

/** The windows of a small file, as one piece. @param length of all of them */
export async function joined(windows: AsyncIterable<Window>, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for await (const window of windows) {
    for (const part of window) {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes;
}
