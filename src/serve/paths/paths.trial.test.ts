/** The whole program: a mirror that is updated while it is read, by raw requests, and by rclone. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';
import { ServeProcess } from '../../testing/serve-process.ts';
import { writeTree } from '../../testing/tree.ts';
import { contents } from '../../testing/tree-contents.ts';

const program = new Program();
const source = program.path('debian');
/** Two bytes that are no UTF-8. */
const ODD = Buffer.concat([Buffer.from(`${source}/pool/`), Buffer.from([0xff, 0xe4])]);
let server: ServeProcess;
before(async () => {
  writeTree(source, {
    dists: { bookworm: { InRelease: 'one', 'by-hash': { one: 'index one' } }, stable: { link: 'bookworm' } },
    pool: { 'a b%c#d?e.deb': 'deb', 'large.deb': Buffer.alloc(2_500_000, 'large'), ä: 'utf-8' },
    empty: {},
    none: '',
    ubuntu: { link: '.' },
    out: { link: '/etc' },
  });
  writeFileSync(ODD, 'bytes');
  program.succeeds('add', 'debian', '-q');
  server = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
});
after(async () => {
  await server.stop();
  program.dispose();
});

/** Sends the bytes as they are; gives the status line, the headers and the body. */
async function raw(target: string, ...headers: string[]): Promise<{ status: number; headers: string; body: string }> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.write([`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'), 'latin1');
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  await once(socket, 'close');
  const text = Buffer.concat(parts).toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  return { status: Number(text.slice(9, 12)), headers: text.slice(0, end).toLowerCase(), body: text.slice(end + 4) };
}

test('targets of any bytes are answered by what they say, or refused, and lead nowhere else', async () => {
  const cases: [string, number, string | RegExp][] = [
    ['/debian/pool/%FF%E4', 200, 'bytes'],
    ['/debian/pool/%C3%A4', 200, 'utf-8'],
    ['/debian/pool/a%20b%25c%23d%3Fe.deb?x#y', 200, 'deb'],
    ['/debian/dists/stable/InRelease', 200, 'one'],
    ['/debian/none', 200, ''],
    ['/debian/pool/../pool/x', 400, /"\.\."/],
    ['/debian/pool/%2e%2e/x', 400, /"\.\."/],
    ['/debian/pool/%2E%2E%2fx', 400, /"\.\."/],
    ['/debian/%', 400, /"%"/],
    ['/debian/%zz', 400, /"%"/],
    ['/debian/a%00', 400, /byte 0/],
    ['/debian/out/passwd', 404, /leads out of the tree/],
    ['/debian/none/', 404, /a file/],
    ['/..', 400, /"\.\."/],
  ];
  for (const [target, status, body] of cases) {
    const answer = await raw(target);
    assert.deepEqual(
      [answer.status, typeof body === 'string' ? answer.body : body.test(answer.body)],
      [status, typeof body === 'string' ? body : true],
      target,
    );
  }
  // Nothing that begins with two slashes, or looks so to a browser, is sent on.
  for (const target of ['//evil.example', '//evil.example/', '/%5Cevil.example', '/\\evil.example', '/%2fevil.example'])
    assert.equal((await raw(target)).status, 404, target);
  assert.match((await raw('/debian/dists?list')).headers, /\nlocation: \/debian\/dists\/\?list\r/);
});

test('a client that has read an index finds what it names, although an update was committed meanwhile; a date stays what it was', async () => {
  const first = await raw('/debian/dists/stable/InRelease');
  const etag = /\netag: (\S+)/.exec(first.headers)?.[1] as string;
  const [, number, date] = /href="\/(debian@\d+)\/".*?href="\/(debian@\w+)\/"/s.exec((await raw('/debian@/')).body) as unknown as string[];
  rmSync(`${source}/dists/bookworm`, { recursive: true });
  rmSync(ODD);
  writeTree(`${source}/dists/bookworm`, { InRelease: 'two', 'by-hash': { two: 'index two' } });
  program.succeeds('update', 'debian', '-q');
  // The server sees the new head by itself.
  for (let answer = first; answer.body !== 'two'; answer = await raw('/debian/dists/stable/InRelease', `If-None-Match: ${etag}`)) {
    assert.ok([200, 304].includes(answer.status));
  }
  const before = await raw('/debian/dists/stable/by-hash/one');
  assert.deepEqual([before.body, /shardctl-snapshot: debian@1/.test(before.headers)], ['index one', true]);
  assert.equal((await raw('/debian/dists/stable/by-hash/two')).body, 'index two');
  assert.equal((await raw(`/${number}/dists/stable/InRelease`)).body, 'one');
  assert.match((await raw(`/${date}/dists/stable/InRelease`)).body, /one|two/);
  assert.equal((await raw('/debian@2030-01-01/dists/stable/InRelease')).body, 'two');
  assert.equal((await raw('/debian@2001-01-01/dists/stable/InRelease')).status, 404);
});

const rclone = spawnSync('rclone', ['version']).status === 0;

test('rclone copies the tree through its http backend', { skip: onlyInAll(!rclone && 'there is no rclone') }, () => {
  const copy = program.path('copy');
  mkdirSync(copy);
  const run = (...argv: string[]) => spawnSync('rclone', ['--config', '/dev/null', ...argv], { encoding: 'utf8' });
  const copied = run('copy', '--create-empty-src-dirs', `:http,url="${server.url}/debian/":`, copy);
  assert.equal(copied.status, 0, copied.stderr);
  for (const dir of ['pool', 'dists/bookworm']) assert.deepEqual(contents(`${copy}/${dir}`), contents(`${source}/${dir}`));
  // A symlink to a directory comes as one; what leads out of the tree, or around, does not come.
  assert.deepEqual(contents(`${copy}/dists/stable`), contents(`${source}/dists/bookworm`));
  assert.deepEqual(readdirSync(copy).sort(), ['dists', 'empty', 'none', 'pool']);
});
