/** `node static.js DIR`: DIR over plain HTTP, with Last-Modified, and nothing else. Prints its URL. */
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const root = process.argv[2] as string;
const server = createServer((request, response) => {
  const path = join(root, decodeURIComponent(request.url as string));
  const content = readFileSync(path);
  response.writeHead(200, { 'content-length': content.length, 'last-modified': statSync(path).mtime.toUTCString() });
  response.end(content);
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
