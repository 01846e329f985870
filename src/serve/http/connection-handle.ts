/** What node:net has of a connection and says in no type: its handle in libuv. */
import type { Socket } from 'node:net';
import { type SocketCalls, socketCalls } from '../../core/libc.ts';

/** Any of these may be missing: on another system, or when the connection has ended. */
export interface ConnectionHandle {
  readonly fd?: number;
  /** Handed to libuv so far. */
  readonly bytesWritten?: number;
  /** Of that, what the system has not taken yet. */
  readonly writeQueueSize?: number;
}

export function handleOf(socket: Socket): ConnectionHandle {
  return (socket as Socket & { readonly _handle?: ConnectionHandle | null })._handle ?? {};
}

/**
 * Linux takes 2.5 MiB for a client of this machine that reads nothing: two thousand such clients were 5 GB of its memory, and to copy that
 * was two thirds of what they cost the server. With this they are 0.2 MiB each. What the client's window and the network can take is not
 * counted, but whoever reads quickly wakes the server more often.
 */
const MOST_UNSENT_BYTES = 128 * 1024;

let calls: SocketCalls | undefined;
let isLoaded = false;

/** Has the system take little of what the client does not; nothing where the system cannot be told. */
export function limitUnsent(socket: Socket): void {
  const { fd = -1 } = handleOf(socket);
  if (!isLoaded) calls = socketCalls();
  isLoaded = true;
  if (fd >= 0) calls?.limitUnsent(fd, MOST_UNSENT_BYTES);
}
