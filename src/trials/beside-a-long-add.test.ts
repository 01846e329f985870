/** What is about one repository does not wait for a first `add` of another one, which takes days: docs/locks.md. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, test } from 'node:test';
import { Random } from '../testing/campaign/random.ts';
import { onlyInAll } from '../testing/depth.ts';
import { KuboDaemon, requireKubo } from '../testing/kubo.ts';
import { Program } from '../testing/program.ts';

let program: Program;
let adding: ChildProcess;
beforeEach(async () => {
  program = new Program();
  // To one of two directories the bytes of a shard are copied, which takes as long as `--bwlimit` says.
  for (const peer of ['one', 'two']) program.succeeds('peers', 'add', 'local', peer);
  program.succeeds('config', 'replication', '2');
  for (let i = 0; i < 8; i++) write(join('big', String(i)), new Random(i).bytes(300_000));
  write('small/a', 'first');
  program.succeeds('add', 'small');
  write('small/a', 'second');
  program.succeeds('update', 'small');
  const line = ` ${'0'.repeat(64)} 0 main/binary-amd64/Packages`;
  write('small/dists/torn/Release', `Suite: torn\nArchitectures: amd64\nComponents: main\nSHA256:\n${line}\n`);
  write('small/dists/torn/main/binary-amd64/Packages', '');
  program.ends(26, 'update', 'small', '--gate', 'debian');
  program.succeeds('export', 'small', '--car', 'small.car');
});
afterEach(async () => {
  if (adding.exitCode === null && adding.signalCode === null) {
    adding.kill('SIGKILL');
    await once(adding, 'exit');
  }
  program.dispose();
});

function write(path: string, bytes: Buffer | string): void {
  mkdirSync(join(program.path(path), '..'), { recursive: true });
  writeFileSync(program.path(path), bytes);
}

/** Begins the `add`, and waits until it works. */
async function addBig(): Promise<void> {
  await goesOn('add', 'big');
}

async function goesOn(...argv: string[]): Promise<void> {
  adding = program.start(...argv, '--json', '--shard-size', '256K', '--bwlimit', '40K');
  for await (const line of createInterface({ input: adding.stdout as NodeJS.ReadableStream })) if (line.includes('"placed"')) break;
}

test('accept, forget, import-car and config of one repository go on beside it, and nothing of either is lost', {
  skip: onlyInAll(),
}, async () => {
  await addBig();
  program.succeeds('accept', 'small@3');
  program.succeeds('forget', 'small', '1');
  program.succeeds('forget', 'small', '--keep-last', '1');
  program.succeeds('config', 'keep', 'last=3', '--repository', 'small');
  program.succeeds('import-car', 'small.car', '--name', 'copy');
  for (const argv of [['config', 'replication', '1'], ['prune'], ['check'], ['repair'], ['rm', 'copy']]) program.ends(41, ...argv);
  program.ends(41, 'import-car', 'small.car', '--name', 'big');
  program.ends(40, 'config', 'keep', 'last=3', '--repository', 'nobody');
  adding.kill('SIGKILL');
  await once(adding, 'exit');
  assert.equal(adding.signalCode, 'SIGKILL', 'it went on all the while');
  program.succeeds('prune');
  assert.deepEqual(readdirSync(join(program.home, 'spool')), [], 'what it has left');
  program.succeeds('add', 'big', '--bwlimit', 'off');
  program.succeeds('verify', '--read-data');
  for (const name of ['small', 'copy', 'big']) program.succeeds('get', name, '-o', `${name}.out`);
  assert.equal(program.head('small').number, 3);
});

test('forget --all passes over what another run works on, says so, and goes on with the others', { skip: onlyInAll() }, async () => {
  program.succeeds('add', 'big');
  for (let i = 0; i < 8; i++) write(join('big', String(i)), new Random(i + 8).bytes(300_000));
  await goesOn('update', 'big');
  const { stdout, stderr } = program.ends(41, 'forget', '--all', '--keep-last', '1');
  assert.match(stderr, /big: repository big is locked by `shardctl update/);
  assert.match(stdout, /^remove +small@1 /m);
  program.fails(40, /small@1/, 'ls', 'small@1');
});

test('an older snapshot is published beside it, and so is the newest again', { skip: onlyInAll() }, async (t) => {
  if (!requireKubo(t)) {
    adding = program.start('--version');
    return;
  }
  const kubo = await KuboDaemon.start(program.path('kubo'));
  try {
    program.succeeds('peers', 'add', 'kubo', kubo.url, '--name', 'kubo');
    program.succeeds('rebalance');
    await addBig();
    assert.match(program.succeeds('publish', 'small@1').stdout, /that is small@1/);
    program.ends(2, 'forget', 'small', '1');
    program.succeeds('publish', 'small');
    program.succeeds('forget', 'small', '1');
    program.ends(41, 'prune');
  } finally {
    await kubo.stop();
  }
});
