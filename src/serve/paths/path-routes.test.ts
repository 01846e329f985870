import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { PathMirror } from '../../testing/path-mirror.ts';

const [DAY1, DAY2, DAY3] = ['2026-11-24T10:00:00.000Z', '2026-11-25T10:00:00.000Z', '2026-11-26T10:00:00.000Z'] as const;
const OLD = new Date('2026-01-02T03:04:05Z');

let mirror: PathMirror;
before(async () => {
  mirror = new PathMirror();
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-path-routes-'));
  const commit = async (time: string, text: string) => {
    writeFileSync(join(dir, 'state'), text);
    await mirror.commit('debian', time, dir);
  };
  for (const name of ['dists/bookworm', 'simple/html', 'simple/json', 'simple/pypi', '@scope/name'])
    mkdirSync(join(dir, name), { recursive: true });
  for (const name of ['dists/bookworm/InRelease', 'simple/html/index.html', 'simple/json/index.json', '@scope/name/index.json'])
    writeFileSync(join(dir, name), name);
  for (const name of ['index.html', 'index.v1_json', 'index.v1_html']) writeFileSync(join(dir, 'simple/pypi', name), name);
  writeFileSync(join(dir, 'a+b %c'), 'odd');
  writeFileSync(join(dir, 'first-only'), '1');
  utimesSync(join(dir, 'first-only'), OLD, OLD);
  writeFileSync(join(dir, 'future'), '1');
  utimesSync(join(dir, 'future'), new Date('2030-01-01'), new Date('2030-01-01'));
  symlinkSync('bookworm', join(dir, 'dists/stable'));
  symlinkSync('/etc/passwd', join(dir, 'out'));
  await commit(DAY1, 'one');
  rmSync(join(dir, 'first-only'));
  writeFileSync(join(dir, 'second-only'), '2');
  await commit(DAY2, 'two');
  rmSync(join(dir, 'second-only'));
  await commit(DAY3, 'three');
  rmSync(dir, { recursive: true });
});
after(async () => {
  await mirror.allReleased();
  await mirror.close();
});

const ask = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
  mirror.app.inject({ method, url, headers });

test('the head, a number and a date lead to their snapshots, and what can never change is said to be so', async () => {
  const fixed = 'public, max-age=31536000, immutable';
  const cases: [string, string | number, string][] = [
    ['/debian/state', 'three', 'no-cache'],
    ['/debian@1/state', 'one', fixed],
    ['/debian@3/state', 'three', fixed],
    ['/debian@2026-11-24/state', 'one', fixed],
    ['/debian@20261125T095959Z/state', 'one', fixed],
    ['/debian@20261125T100000Z/state', 'two', fixed],
    ['/debian@2026-11-25T10:00Z/state', 'two', fixed],
    // A snapshot of that day may still come.
    ['/debian@2026-11-26/state', 'three', 'no-cache'],
    ['/debian@2027-01-01/state', 'three', 'no-cache'],
    ['/debian@2026-11-23/state', 404, 'no-cache'],
    ['/debian@9/state', 404, 'no-cache'],
    ['/debian@x/state', 404, 'no-cache'],
    ['/fedora/state', 404, 'no-cache'],
    ['/metrics/state', 404, 'no-cache'],
  ];
  for (const [url, wanted, cacheControl] of cases) {
    const { statusCode, body, headers } = await ask(url);
    assert.deepEqual([statusCode === 200 ? body : statusCode, headers['cache-control']], [wanted, cacheControl], url);
  }
  assert.match((await ask('/debian@2026-11-23/')).body, /the oldest snapshot is debian@1 of 2026-11-24/);
});

test('a tag leads to its snapshot, in lists too, and is asked about each time, as it may move', async (t) => {
  mirror.tags.set('debian', { tested: 1, newest: 3 });
  t.after(() => mirror.tags.clear());
  for (const [tag, wanted] of [
    ['tested', 'one'],
    ['newest', 'three'],
  ]) {
    const { body, headers } = await ask(`/debian@${tag}/state`);
    assert.deepEqual([body, headers['cache-control']], [wanted, 'no-cache']);
  }
  assert.equal((await ask('/debian@other/state')).statusCode, 404);
  const list = JSON.parse((await ask('/debian@/?format=json')).body) as { tags: string[] }[];
  assert.deepEqual(
    list.map(({ tags }) => tags),
    [['newest'], [], ['tested']],
  );
  assert.match((await ask('/debian@/', { accept: 'text/html' })).body, /<a href="\/debian@tested\/">tested<\/a>/);
});

test('what the head does not have comes from the snapshot before it, if it is a file, and says so', async () => {
  const { statusCode, body, headers } = await ask('/debian/second-only');
  assert.deepEqual([statusCode, body, headers['shardctl-snapshot'], headers['cache-control']], [200, '2', 'debian@2', 'no-cache']);
  for (const url of ['/debian/first-only', '/debian/second-only/', '/debian@3/second-only'])
    assert.equal((await ask(url)).statusCode, 404, url);
  assert.equal((await ask('/debian/state')).headers['shardctl-snapshot'], undefined);
});

test('symlinks are followed inside the tree, and what leads out of it says why it is not found', async () => {
  assert.equal((await ask('/debian/dists/stable/InRelease')).body, 'dists/bookworm/InRelease');
  const { statusCode, body } = await ask('/debian/out');
  assert.deepEqual([statusCode, /leads out of the tree/.test(body)], [404, true]);
});

test('an index answers for its directory, in the form that is asked for; ?list shows what is there', async () => {
  const PYPI = 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01';
  const cases: [string, string | undefined, string | RegExp, string][] = [
    ['/debian/simple/html/', undefined, 'simple/html/index.html', 'text/html'],
    [
      '/debian/simple/json/',
      'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*',
      'simple/json/index.json',
      'application/json',
    ],
    ['/debian/simple/json/', PYPI, 'simple/json/index.json', 'application/vnd.pypi.simple.v1+json'],
    ['/debian/simple/pypi/', PYPI, 'index.v1_json', 'application/vnd.pypi.simple.v1+json'],
    ['/debian/simple/pypi/', 'application/vnd.pypi.simple.v1+html', 'index.v1_html', 'application/vnd.pypi.simple.v1+html'],
    ['/debian/simple/pypi/', 'text/html', 'index.html', 'text/html'],
    ['/debian/simple/html/?list', undefined, /<a href="index\.html">/, 'text/html; charset=utf-8'],
    ['/debian/simple/html/?list&format=json', undefined, /"name":"index\.html"/, 'application/json'],
    ['/debian/dists/', 'application/json', /"name":"bookworm"/, 'application/json'],
    ['/debian/@scope%2fname/', 'application/json', '@scope/name/index.json', 'application/json'],
  ];
  for (const [url, accept, wanted, type] of cases) {
    const { body, headers } = await ask(url, accept === undefined ? {} : { accept });
    assert.ok(typeof wanted === 'string' ? body === wanted : wanted.test(body), `${url}: ${body}`);
    assert.deepEqual([headers['content-type'], headers.vary], [type, 'Accept'], url);
  }
});

test('a directory without its slash is sent there, with the query, and nowhere else', async () => {
  const cases: [string, string][] = [
    ['/debian', '/debian/'],
    ['/debian@1', '/debian@1/'],
    ['/debian@', '/debian@/'],
    ['/debian/dists?list&x=%2f', '/debian/dists/?list&x=%2f'],
    ['/debian/@scope%2fname', '/debian/@scope/name/'],
    ['/debian//dists', '/debian/dists/'],
    ['/debian/dists/stable', '/debian/dists/stable/'],
  ];
  for (const [url, location] of cases) {
    const { statusCode, headers } = await ask(url);
    assert.deepEqual([statusCode, headers.location], [301, location], url);
  }
  for (const url of ['//evil.example', '//evil.example/..;/x', '/%2fevil.example', '/\\evil.example'])
    assert.notEqual((await ask(url)).statusCode, 301, url);
});

test('what is the client’s already, and what it does not want, has no body', async () => {
  const { headers } = await ask('/debian@1/first-only');
  assert.equal(headers['last-modified'], OLD.toUTCString());
  assert.equal((await ask('/debian/future')).headers['last-modified'], undefined);
  const same = await ask('/debian@1/first-only', { 'if-none-match': headers.etag as string });
  assert.deepEqual([same.statusCode, same.body, same.headers.etag, same.headers['content-type']], [304, '', headers.etag, undefined]);
  assert.equal((await ask('/debian@1/first-only', { 'if-modified-since': OLD.toUTCString() })).statusCode, 304);
  assert.equal((await ask('/debian@1/first-only', { 'if-match': '"x"' })).statusCode, 412);
  const past = await ask('/debian@1/first-only', { range: 'bytes=1-' });
  assert.deepEqual([past.statusCode, past.headers['content-range']], [416, 'bytes */1']);
  const listing = await ask('/debian/dists/');
  assert.equal((await ask('/debian/dists/', { 'if-none-match': listing.headers.etag as string })).statusCode, 304);
  const head = await ask('/debian/state', {}, 'HEAD');
  assert.deepEqual([head.statusCode, head.body, head.headers['content-length']], [200, '', '5']);
});

test('ranges of a file of many blocks are its bytes', async () => {
  const bytes = Buffer.from(Array.from({ length: 2_500_000 }, (_, i) => (i * 7 + (i >> 11)) & 0xff));
  await mirror.commit('large', DAY1, { file: bytes });
  const edge = fc.oneof(fc.constantFrom(0, 1, 1_048_575, 1_048_576, 1_048_577, 2_097_152, 2_499_999), fc.nat(2_500_010));
  const law = fc.asyncProperty(edge, edge, async (a, b) => {
    const [first, last] = [Math.min(a, b), Math.max(a, b)];
    const { statusCode, rawPayload, headers } = await ask('/large/file', { range: `bytes=${first}-${last}` });
    if (first >= bytes.length) return assert.equal(statusCode, 416);
    const wanted = bytes.subarray(first, last + 1);
    assert.deepEqual([statusCode, Buffer.compare(rawPayload, wanted), headers['content-length']], [206, 0, String(wanted.length)]);
  });
  await fc.assert(law, { numRuns: 30 });
});

test('the snapshots of a repository are listed under its name with an "@", newest first, with their addresses', async () => {
  const { body } = await ask('/debian@/');
  assert.deepEqual(
    [...body.matchAll(/href="(\/debian@[^"]+)"/g)].map(([, href]) => href),
    ['/debian@3/', '/debian@20261126T100000Z/', '/debian@2/', '/debian@20261125T100000Z/', '/debian@1/', '/debian@20261124T100000Z/'],
  );
  const json = JSON.parse((await ask('/debian@/', { accept: 'application/json' })).body) as { number: number; href: string }[];
  assert.deepEqual(
    json.map(({ number, href }) => [number, href]),
    [
      [3, '/debian@3/'],
      [2, '/debian@2/'],
      [1, '/debian@1/'],
    ],
  );
  assert.equal((await ask('/debian@/x')).statusCode, 404);
});

test('a document of a mirror has an origin of its own, and no file has its encoding undone', async () => {
  await mirror.commit('types', DAY1, {
    'x.html': '',
    'x.svg': '',
    'x.xml': '',
    'x.deb': '',
    'Packages.gz': '',
    'x.js': '',
    'a.json': '',
    noext: '',
  });
  for (const [name, type, isBoxed] of [
    ['x.html', 'text/html', true],
    ['x.svg', 'image/svg+xml', true],
    ['x.xml', 'application/xml', true],
    ['x.deb', 'application/vnd.debian.binary-package', false],
    ['Packages.gz', 'application/gzip', false],
    ['a.json', 'application/json', false],
    ['noext', 'application/octet-stream', false],
  ] as const) {
    const { headers } = await ask(`/types/${name}`);
    assert.deepEqual(
      [
        headers['content-type'],
        /^sandbox(?!.*allow-(scripts|same-origin))/.test(String(headers['content-security-policy'])),
        headers['content-encoding'],
      ],
      [type, isBoxed, undefined],
      name,
    );
    assert.equal(headers['x-content-type-options'], 'nosniff');
  }
});

test('a repository that the request may not read is answered as one that is not there', async () => {
  const closed = new PathMirror(['secret']);
  await closed.commit('secret', DAY1, { file: 'x' });
  await closed.commit('open', DAY1, { file: 'y' });
  const answers = await Promise.all(
    ['/secret/file', '/secret@1/file', '/secret@/', '/none/file', '/none@/'].map((url) => closed.app.inject(url)),
  );
  assert.deepEqual([...new Set(answers.map(({ statusCode, body }) => `${statusCode} ${body}`))], ['401 this needs a token\n']);
  assert.equal((await closed.app.inject('/open/file')).body, 'y');
  await closed.close();
});
