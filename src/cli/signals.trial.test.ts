/** A run that is asked to stop does so in good order, wherever it is, and the next one goes on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { onlyInAll, sampled } from '../testing/depth.ts';
import { Program } from '../testing/program.ts';

let program: Program;
let source: string;
/** The root of an undisturbed run. */
let expected: string;
before(async () => {
  program = new Program();
  source = program.path('mirror');
  for (const folder of ['a', 'b/c', 'd']) {
    mkdirSync(join(source, folder), { recursive: true });
    for (let n = 0; n < 8; n++) writeFileSync(join(source, folder, `file${n}`), Buffer.alloc(20_000, `${folder}${n}`));
  }
  await sleep(50);
  expected = program.succeeds('add', source, '-Q').lines[0] ?? '';
});
after(() => program.dispose());

function fresh(): void {
  rmSync(program.home, { recursive: true, force: true });
}

for (const [signal, exit] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`${signal} before any write, from the lock to the commit: exit ${exit}, no lock is left, and the next run goes on`, {
    skip: onlyInAll(),
  }, () => {
    let stopped = 0;
    let resumed = 0;
    for (let nth = 4, isOver = false; !isOver; nth += sampled(90, 17)) {
      fresh();
      const { code, stderr } = program.runWithFault(`${signal}:${nth}`, 'add', source, '--shard-size', '64KiB');
      isOver = code === 0;
      if (!isOver) {
        stopped++;
        assert.equal(code, exit, stderr);
        assert.match(stderr, /^shardctl: (interrupted|terminated); run the same command again: it goes on where it stopped\n$/);
      }
      assert.deepEqual(readdirSync(join(program.home, 'lock')), [], `write ${nth}`);
      const { stdout } = program.succeeds('add', source, '--shard-size', '64KiB', '--json');
      const summary = JSON.parse(stdout.split('\n').find((line) => line.startsWith('{"type":"summary"')) ?? '') as Summary;
      assert.equal(summary.tree, expected, `write ${nth}`);
      if (summary.resumedFiles > 0) resumed++;
    }
    assert.ok(stopped >= sampled(2, 6) && resumed >= sampled(1, 3), `${stopped} were stopped, ${resumed} resumed`);
  });
}

interface Summary {
  readonly tree: string;
  readonly resumedFiles: number;
}

test('a second signal ends a run at once that the first one cannot, and the lock goes all the same', async (t) => {
  fresh();
  program.succeeds('peers', 'add', 'local', 'disk');
  // The home and the peer know one another after this: what a first run flushes at its start is not what is meant here.
  program.succeeds('add', join(source, 'd'), '--name', 'other');
  // Where peers are on a disk that does not answer, a run cannot end in good order.
  const stuck = new URL('../testing/stuck.js', import.meta.url).href;
  const hanging = program.startWith(['--import', stuck], 'add', source, '--shard-size', '64KiB', '--json');
  t.after(() => hanging.kill('SIGKILL'));
  await new Promise<void>((resolve) => hanging.stdout?.on('data', (chunk) => String(chunk).includes('"sealed"') && resolve()));
  hanging.kill('SIGINT');
  await sleep(300);
  assert.equal(hanging.exitCode, null);
  hanging.kill('SIGINT');
  const [code] = await once(hanging, 'exit');
  assert.equal(code, 130);
  assert.deepEqual(readdirSync(join(program.home, 'lock')), []);
  assert.equal(program.succeeds('add', source, '--shard-size', '64KiB', '-Q').lines[0], expected);
});

test('what a run ends with before it could tell it, the next one tells', { skip: onlyInAll() }, async (t) => {
  const mine = new Program();
  t.after(() => mine.dispose());
  for (const name of ['a', 'b']) mine.succeeds('peers', 'add', 'local', name);
  mkdirSync(mine.path('m'));
  writeFileSync(mine.path('m', 'first'), 'first');
  mine.succeeds('add', 'm', '--replication', '1', '--allocate-by', 'pinned-to:a');
  renameSync(mine.path('b'), mine.path('b.away'));
  writeFileSync(mine.path('m', 'more'), 'more');
  const stuck = new URL('../testing/stuck.js', import.meta.url).href;
  const log = mine.path('log');
  const hanging = mine.startWith(['--import', stuck], 'update', 'm', '-q', '--log-file', log, '-v');
  t.after(() => hanging.kill('SIGKILL'));
  let told = '';
  hanging.stderr?.on('data', (chunk) => (told += String(chunk)));
  while (hanging.exitCode === null && !(existsSync(log) && readFileSync(log, 'utf8').includes('sealed'))) await sleep(20);
  hanging.kill('SIGINT');
  await sleep(300);
  assert.equal(hanging.exitCode, null);
  hanging.kill('SIGINT');
  assert.deepEqual([...(await once(hanging, 'close')), told], [130, null, '']);
  assert.match(mine.ends(0, 'update', 'm', '-q').stderr, /^warning: peer b is left out: /);
  assert.equal(mine.ends(0, 'update', 'm', '-q').stderr, '', 'by then it is known');
});

test('a run that waits for a reader who does not read, or for a daemon that drips, ends when it is told to', {
  skip: onlyInAll(),
  timeout: 60_000,
}, async (t) => {
  fresh();
  writeFileSync(join(source, 'd/large'), Buffer.alloc(4_000_000, 'x'));
  program.succeeds('add', source);
  const dripping = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const drip = setInterval(() => response.write(' '), 200);
    response.once('close', () => clearInterval(drip));
  });
  await new Promise<void>((resolve) => dripping.listen(0, '127.0.0.1', resolve));
  t.after(() => dripping.close());
  const url = `http://127.0.0.1:${(dripping.address() as AddressInfo).port}`;
  for (const argv of [
    ['cat', 'mirror/d/large'],
    ['peers', 'add', 'kubo', url, '--name', 'k'],
  ]) {
    const child = program.start(...argv);
    t.after(() => child.kill('SIGKILL'));
    await sleep(1500);
    assert.equal(child.exitCode, null);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [143, null]);
  }
});
