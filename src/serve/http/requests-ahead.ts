/**
 * Requests that a client of HTTP/1.1 sends before it has the answers to those before them. Each waits until its answer is the next one to
 * go out: were they worked on at once, one connection would have as many bodies in memory, and Node does not tell when it breaks off.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** On one connection; apt sends ten ahead. */
const MOST_WAITING = 64;

const waiting = new WeakMap<object, number>();

/** Whether another answer on the same connection comes first. */
export function isAhead({ httpVersionMajor }: IncomingMessage, { socket }: ServerResponse): boolean {
  return httpVersionMajor === 1 && socket === null;
}

/** Calls `go` when the answers before it are out; never when the connection ends before that. Too many end it. */
export function waitForThoseBefore({ socket }: IncomingMessage, response: ServerResponse, go: () => void): void {
  const count = (waiting.get(socket) ?? 0) + 1;
  if (count > MOST_WAITING) {
    socket.destroy();
    return;
  }
  waiting.set(socket, count);
  response.once('socket', () => {
    waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
    // Node is still busy with the answer before.
    setImmediate(() => {
      if (!socket.destroyed && !response.closed) go();
    });
  });
}
