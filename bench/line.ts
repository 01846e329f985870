/** A bad line in front of a server on loopback: so many bytes a second, or so many milliseconds late. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface LineOptions {
  /** In each direction, all connections together. */
  readonly bytesPerSecond?: number;
  /** How much later each byte arrives; there and back is twice that. */
  readonly delayMs?: number;
}

export interface Line {
  readonly url: string;
  /** Bytes that came from the server so far. */
  readonly received: number;
  close(): Promise<void>;
}

/** Bytes that may be on their way on one connection, in each direction. */
const MOST_UNDER_WAY = 4 * 1024 * 1024;

/** @param url of the server */
export async function lineTo(url: string, options: LineOptions): Promise<Line> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let received = 0;
  const [there, back] = [carrier(options), carrier(options)];
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    target.on('data', (piece: Buffer) => {
      received += piece.length;
    });
    there(client, target);
    back(target, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get received() {
      return received;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One direction. Timers of the same length fire in the order in which they were set, so bytes stay in order. */
function carrier({ bytesPerSecond = Number.POSITIVE_INFINITY, delayMs = 0 }: LineOptions): (from: Socket, to: Socket) => void {
  let freeAt = 0;
  return (from, to) => {
    let underWay = 0;
    let resumeAt = 0;
    const goOn = () => {
      // A timer may fire a moment early.
      const early = resumeAt - performance.now();
      if (early > 0) setTimeout(goOn, early + 1);
      else if (underWay < MOST_UNDER_WAY) from.resume();
    };
    from.on('data', (piece: Buffer) => {
      const now = performance.now();
      freeAt = Math.max(freeAt, now) + (piece.length / bytesPerSecond) * 1000;
      underWay += piece.length;
      if (freeAt > now) {
        resumeAt = freeAt;
        from.pause();
        goOn();
      }
      if (underWay >= MOST_UNDER_WAY) from.pause();
      const arrive = () =>
        to.write(piece, () => {
          const wasFull = underWay >= MOST_UNDER_WAY;
          underWay -= piece.length;
          if (wasFull) goOn();
        });
      if (delayMs === 0) arrive();
      else setTimeout(arrive, delayMs);
    });
    from.on('end', () => setTimeout(() => to.end(), delayMs));
    from.on('close', () => setTimeout(() => to.destroySoon(), delayMs));
  };
}
