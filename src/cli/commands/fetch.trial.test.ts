/** `fetch` from a home, as people call it: what it makes, and what it leaves alone. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { oneIn } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(7);

const program = new Program();

before(() => {
  mkdirSync(program.path('plain/sub'), { recursive: true });
  for (const name of ['a', 'sub/b']) writeFileSync(program.path(`plain/${name}`), name.repeat(500));
  program.succeeds('add', program.path('plain'), '--no-metadata', '--quiet');
});
after(() => program.dispose());

function modeOf(path: string): number {
  return statSync(program.path(path)).mode & 0o777;
}

test('what has no modes in the tree, and directories above OUT, get those that the umask gives', { skip: sample() }, () => {
  const given = 0o777 & ~process.umask();
  program.succeeds('fetch', 'plain', program.path('above/of/out'));
  for (const path of ['above', 'above/of', 'above/of/out', 'above/of/out/sub']) assert.equal(modeOf(path), given, path);
  assert.equal(modeOf('above/of/out/sub/b'), given & 0o666);
  assert.equal(modeOf('above/of/out/.shardctl-fetch'), 0o700);
});

test('where the tree has no modes, those that somebody has set stay, and nothing comes again', { skip: sample() }, () => {
  chmodSync(program.path('above/of/out/a'), 0o640);
  chmodSync(program.path('above/of/out/sub'), 0o750);
  const { stdout } = program.succeeds('fetch', 'plain', program.path('above/of/out'));
  assert.match(stdout, /: 0 entries came, /);
  assert.deepEqual([modeOf('above/of/out/a'), modeOf('above/of/out/sub')], [0o640, 0o750]);
});

test('a dry run makes nothing, and says how many bytes would come', { skip: sample() }, () => {
  const { stdout } = program.succeeds('fetch', 'plain', program.path('none'), '-n');
  assert.match(stdout, /2 entries would come, 0 were there; up to 2.9 KiB, /);
  assert.ok(!existsSync(program.path('none')));
  mkdirSync(program.path('empty'));
  program.succeeds('fetch', 'plain', program.path('empty'), '-n', '-i', '--delete');
  assert.deepEqual(readdirSync(program.path('empty')), []);
});

test('what is not there leaves no OUT behind', { skip: sample() }, () => {
  for (const ref of ['nothing', 'plain@7', 'plain/none']) program.fails(40, /./, 'fetch', ref, program.path('none'));
  program.fails(2, /file/, 'fetch', 'plain/a', program.path('none'));
  assert.ok(!existsSync(program.path('none')));
});

test('a symlink to a directory is followed when it is OUT, and a file that is OUT is told of', { skip: sample() }, () => {
  mkdirSync(program.path('disk'));
  symlinkSync('disk', program.path('link'));
  for (const _ of [1, 2]) program.succeeds('fetch', 'plain', program.path('link'), '--delete');
  assert.ok(lstatSync(program.path('link')).isSymbolicLink());
  assert.deepEqual(readdirSync(program.path('disk')).sort(), ['.shardctl-fetch', 'a', 'sub']);
  writeFileSync(program.path('file'), '');
  program.fails(2, /file is no directory/, 'fetch', 'plain', program.path('file'));
});

test('a FIFO, a socket and a device make way for what the tree has, as with rsync, and none of them is opened', {
  skip: sample(),
}, async () => {
  const specials = ['one', 'two', 'three'] as const;
  mkdirSync(program.path('tree/three'), { recursive: true });
  for (const name of ['one', 'two', 'three/in']) writeFileSync(program.path('tree', name), name);
  program.succeeds('add', program.path('tree'), '--quiet');
  const places = ['copied', 'deleting'];
  const servers = places.map((place) => {
    mkdirSync(program.path(place));
    spawnSync('mkfifo', [program.path(place, 'one'), program.path(place, 'beside')]);
    const isDevice = process.getuid?.() === 0 && spawnSync('mknod', [program.path(place, 'three'), 'c', '1', '7']).status === 0;
    if (!isDevice) spawnSync('mkfifo', [program.path(place, 'three')]);
    return createServer().listen(program.path(place, 'two'));
  });
  try {
    await Promise.all(servers.map((server) => server.listening || once(server, 'listening')));
    // Whoever opens a FIFO to write, or without O_NONBLOCK to read, waits for ever.
    for (const [place = '', ...options] of [['copied'], ['deleting', '--delete', '--max-delete', 'none']]) {
      assert.ok(specials.every((name) => !statSync(program.path(place, name)).isFile()));
      const { code, stderr } = program.run('fetch', 'tree', program.path(place), '-q', ...options);
      assert.deepEqual([code, stderr], [0, '']);
      assert.deepEqual(
        ['one', 'two', 'three/in'].map((name) => readFileSync(program.path(place, name), 'utf8')),
        ['one', 'two', 'three/in'],
      );
    }
    assert.deepEqual(
      places.map((place) => existsSync(program.path(place, 'beside'))),
      [true, false],
    );
  } finally {
    for (const server of servers) server.close();
  }
});

test('add of what fetch has made leaves out what fetch remembers there, also in later updates', { skip: sample() }, () => {
  const name = 'again';
  program.succeeds('fetch', 'plain', program.path(name));
  program.succeeds('add', program.path(name), '--include', '*/', '--quiet');
  program.succeeds('update', name, '--quiet');
  const { stdout } = program.succeeds('ls', name);
  assert.doesNotMatch(stdout, /shardctl-fetch/);
  assert.match(stdout, /sub/);
});

test('a SRC that is written in another way than fetch reads it is told of with how to write it', { skip: sample() }, () => {
  program.fails(2, /write \/ipns\/k51/, 'fetch', `k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8`, program.path('none'));
  program.fails(2, /write http:\/\/127\.0\.0\.1:8080\/mirror/, 'fetch', '127.0.0.1:8080/mirror', program.path('none'));
  program.fails(2, /write http:\/\/host/, 'fetch', 'rsync://mirror.example/debian', program.path('none'));
  program.fails(40, /write http:\/\/host:8080\/debian .*--via/, 'fetch', 'debian', program.path('none'), '--home', program.path('no-home'));
  assert.ok(!existsSync(program.path('none')));
});

test('a snapshot of this home is fetched by its CID, without a gateway', { skip: sample() }, () => {
  const { cid } = program.head('plain');
  for (const src of [cid, `/ipfs/${cid}/sub`]) {
    const { stdout } = program.succeeds('fetch', src, program.path(`by-cid/${src.includes('sub') ? 'sub' : 'all'}`));
    assert.match(stdout, /(1|2) entr(y|ies) came/);
  }
});
