import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { acquireLock, type LockOptions, type ProcessTable } from './lock.ts';

let dir: string;
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'shardctl-lock-')), 'lock');
});
afterEach(() => rmSync(join(dir, '..'), { recursive: true }));

/** A machine on which these pids run, begun at these times. */
function machine(pid: number, running: Record<number, string>, where: { host?: string; scope?: string; past?: string } = {}): ProcessTable {
  const { host = 'mirror', scope = 'boot2', past = 'boot1' } = where;
  return {
    self: () => ({ pid, host, scope, started: running[pid] ?? '' }),
    startedOf: (other) => running[other],
    isPast: (other) => other === past,
  };
}

function options(processes: ProcessTable, more: Partial<LockOptions> = {}): LockOptions {
  return { command: `shardctl add ${processes.self().pid}`, waitMs: 0, processes, now: Date.now, ...more };
}

/** Pids of the processes whose locks lie in the directory. */
function holders(): number[] {
  return readdirSync(dir).map((name) => Number(name.split('-')[0]));
}

const both = { 10: 't10', 20: 't20' };
const first = machine(10, both);
const second = machine(20, both);

test('a second run is refused and told who holds the home', async () => {
  const lock = await acquireLock(dir, options(first, { now: () => 0 }));
  await assert.rejects(acquireLock(dir, options(second)), {
    code: 'LOCKED',
    exitCode: 41,
    message: /locked by `shardctl add 10`, pid 10, since 1970-01-01T00:00:00\.000Z/,
    hint: /--lock-wait/,
  });
  lock.release();
  const other = await acquireLock(dir, options(second));
  assert.deepEqual(holders(), [20]);
  other.release();
});

test('a released lock leaves nothing behind, and may be released twice', async () => {
  const lock = await acquireLock(dir, options(first));
  lock.release();
  const other = await acquireLock(dir, options(second));
  lock.release();
  assert.equal(readdirSync(dir).length, 1, 'the second release is not for the lock of the other run');
  other.release();
  assert.deepEqual(readdirSync(dir), []);
});

test('a refused run leaves the lock of the holder as it was', async () => {
  await acquireLock(dir, options(first));
  const [file = ''] = readdirSync(dir);
  const before = readFileSync(join(dir, file), 'utf8');
  await assert.rejects(acquireLock(dir, options(second)), { code: 'LOCKED' });
  assert.deepEqual(readdirSync(dir), [file]);
  assert.equal(readFileSync(join(dir, file), 'utf8'), before);
});

test('the lock of a dead process is taken over', async () => {
  await acquireLock(dir, options(first));
  const lock = await acquireLock(dir, options(machine(20, { 20: 't20' })));
  assert.equal(readdirSync(dir).length, 1);
  lock.release();
});

test('a pid that is used again does not keep a dead lock alive', async () => {
  await acquireLock(dir, options(first));
  const lock = await acquireLock(dir, options(machine(20, { 10: 'later', 20: 't20' })));
  assert.deepEqual(holders(), [20]);
  lock.release();
});

test('a lock from before the last boot is dead, although its pid may run again', async () => {
  await acquireLock(dir, options(machine(10, both, { scope: 'boot1' })));
  const lock = await acquireLock(dir, options(second));
  assert.deepEqual(holders(), [20]);
  lock.release();
});

test('a lock of another host or container counts as held, and the hint says which file to delete', async () => {
  for (const where of [{ host: 'elsewhere' }, { scope: 'another container' }]) {
    const lock = await acquireLock(dir, options(machine(10, both, where)));
    await assert.rejects(acquireLock(dir, options(machine(20, { 20: 't20' }))), { code: 'LOCKED', hint: /delete .*\/10-[0-9a-f]+\.json/ });
    lock.release();
  }
});

test('what a power cut left of a lock does not hold the home', async () => {
  mkdirSync(dir);
  for (const [index, text] of ['', '\0\0\0\0', '{"pid": 3', 'null', '[]'].entries()) writeFileSync(join(dir, `${index}-ab.json`), text);
  const lock = await acquireLock(dir, options(first));
  assert.deepEqual(holders(), [10]);
  lock.release();
});

test('with a wait, the second run goes on when the first is done', async () => {
  const lock = await acquireLock(dir, options(first));
  const waiting = acquireLock(dir, options(second, { waitMs: 60_000 }));
  assert.deepEqual(holders(), [10], 'the second waits');
  setImmediate(() => lock.release());
  const own = await waiting;
  assert.deepEqual(holders(), [20]);
  own.release();
});

test('a wait ends when it is aborted', async () => {
  await acquireLock(dir, options(first));
  const controller = new AbortController();
  const waiting = acquireLock(dir, options(second, { waitMs: 60_000, signal: controller.signal }));
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
});
