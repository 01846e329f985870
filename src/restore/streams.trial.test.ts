/** `get` by the streams of shards, as the real program: killed at any moment, and from a real Kubo. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { onlyInAll } from '../testing/depth.ts';
import { treeState } from '../testing/hard-tree.ts';
import { KuboDaemon, requireKubo } from '../testing/kubo.ts';
import { Program } from '../testing/program.ts';

/** Small files in several directories, copies of some, and large ones: more than is read without threads. */
function makeMirror(path: string): void {
  for (let i = 0; i < 2000; i++) {
    const dir = join(path, `pool/${i % 20}`);
    mkdirSync(dir, { recursive: true });
    const file = join(dir, `file-${i}`);
    writeFileSync(file, `${i % 7 === 0 ? 'a copy' : i} `.repeat(1 + (i % 900)));
    utimesSync(file, i, i + 0.5);
  }
  for (let i = 0; i < 4; i++) writeFileSync(join(path, `large-${i}`), noise(7_000_000, i));
}

function noise(bytes: number, seed: number): Buffer {
  const block = (n: number) => createHash('sha512').update(`${seed} ${n}`).digest();
  return Buffer.concat(Array.from({ length: Math.ceil(bytes / 64) }, (_, n) => block(n))).subarray(0, bytes);
}

/** What a killed run leaves beside the files that it was about to replace. */
const LEFT = '.shardctl-';

function stateOf(path: string): Map<string, unknown> {
  return new Map([...treeState(path)].filter(([name]) => !name.includes(LEFT)));
}

test('killed at any moment and run again, it restores what is in the mirror', { skip: onlyInAll() }, async (t) => {
  const program = new Program();
  t.after(() => program.dispose());
  const mirror = program.path('mirror');
  makeMirror(mirror);
  program.succeeds('add', mirror, '--no-progress');
  const whole = stateOf(mirror);
  const started = performance.now();
  program.succeeds('get', 'mirror', '-o', 'timed', '--no-progress');
  const takesMs = performance.now() - started;
  for (let round = 0; round < 3; round++) {
    const child = program.start('get', 'mirror', '-o', 'out', '--overwrite', '--no-progress');
    const ended = new Promise((resolve) => child.once('close', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), takesMs * (0.2 + 0.8 * Math.random()));
    await ended;
    clearTimeout(timer);
    if (round % 3 < 2) continue;
    program.succeeds('get', 'mirror', '-o', 'out', '--overwrite', '--no-progress');
    assert.deepEqual(stateOf(program.path('out')), whole);
    rmSync(program.path('out'), { recursive: true });
  }
});

test('from a Kubo comes what is in the mirror, by its RPC and by its gateway, and without the file of which it has lost a block', {
  skip: onlyInAll(),
}, async (t: TestContext) => {
  if (!requireKubo(t)) return;
  const program = new Program();
  const daemon = await KuboDaemon.start(program.path('ipfs'));
  t.after(async () => {
    await daemon.stop();
    program.dispose();
  });
  const mirror = program.path('mirror');
  makeMirror(mirror);
  program.succeeds('peers', 'add', 'kubo', daemon.url, '--name', 'attic');
  program.succeeds('add', mirror, '--no-progress');
  const whole = treeState(mirror);
  program.succeeds('get', 'mirror', '-o', 'by-rpc', '--no-progress');
  assert.deepEqual(treeState(program.path('by-rpc')), whole);
  rmSync(daemon.fileOf(noise(7_000_000, 2).subarray(0, 1024 * 1024)));
  const { stderr } = program.ends(44, 'get', 'mirror', '-o', 'damaged', '--no-progress');
  assert.match(stderr, /large-2/);
  const damaged = treeState(program.path('damaged'));
  assert.deepEqual(
    [...whole.keys()].filter((path) => !damaged.has(path)),
    ['/large-2'],
  );
  program.succeeds('peers', 'set', 'attic', '--gateway', daemon.gateway);
  program.succeeds('get', 'mirror/pool', '-o', 'by-gateway', '--no-progress');
  assert.deepEqual(treeState(program.path('by-gateway')), treeState(join(mirror, 'pool')));
  program.succeeds('get', 'mirror/large-1', '-o', 'large', '--no-progress');
  assert.deepEqual(treeState(program.path('large')).get(''), whole.get('/large-1'));
});
