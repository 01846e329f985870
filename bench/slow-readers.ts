/** A process of `bench/crowd.ts`: `slow-readers.js URL COUNT` asks for one file COUNT times at once, and takes a byte a second of each answer. */
import { connect, type Socket } from 'node:net';

/** So little is taken from the system ahead of who reads. */
const BUFFER = { readableHighWaterMark: 1 };

const [url = '', count = '0'] = process.argv.slice(2);
const { hostname, port, pathname, search } = new URL(url);
const open = new Set<Socket>();
let begun = 0;
for (let reader = 0; reader < Number(count); reader++) {
  const socket = connect({ host: hostname, port: Number(port), ...BUFFER } as never).pause();
  open.add(socket);
  socket.on('error', () => {}).once('close', () => void open.delete(socket));
  socket.once('readable', () => void begun++);
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: crowd\r\n\r\n`);
}
setInterval(() => {
  for (const socket of open) socket.read(1);
  // How many have their first byte, and how many are still connected.
  process.stdout.write(`${begun} ${open.size}\n`);
}, 1000);
