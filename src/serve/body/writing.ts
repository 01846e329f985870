/** Writing to a client, over HTTP/1.1 or HTTP/2. */
import type { FastifyReply } from 'fastify';
import type { Window } from '../../read/files/file-bytes.ts';

export type Raw = FastifyReply['raw'];

/** @returns when the system has all of the window: true; when the connection is gone, and may still be reading it: false */
export async function written(raw: Raw, window: Window): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const isGone = () => resolve(false);
    const done = (error?: Error | null) => {
      raw.off('close', isGone);
      resolve(error == null && !raw.destroyed);
    };
    raw.once('close', isGone);
    raw.cork();
    for (let at = 0; at < window.length; at++) {
      const part = window[at] as Uint8Array;
      if (at === window.length - 1) raw.write(part, done);
      else raw.write(part);
    }
    raw.uncork();
    if (window.length === 0) done();
  });
}

/** Ends an answer so that the client knows that it is not whole. */
export function cut(raw: Raw): void {
  if ('stream' in raw) (raw.stream as { close(code: number): void }).close(INTERNAL_ERROR);
  else raw.destroy();
}

/** Of HTTP/2: RFC 9113, 7. */
const INTERNAL_ERROR = 2;

export function bytesOf(window: Window): number {
  let bytes = 0;
  for (const part of window) bytes += part.length;
  return bytes;
}
