import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { acquireLock, SharedLock } from './lock.ts';
import type { LockOptions, ProcessTable } from './lock-files.ts';

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

test('what a killed run had written and not put is removed; what a live one is about to put stays', async () => {
  const lock = await acquireLock(dir, options(first));
  const [file = ''] = readdirSync(dir);
  const text = readFileSync(join(dir, file), 'utf8');
  writeFileSync(join(dir, '10-ab.json.new'), text);
  writeFileSync(join(dir, '10-cd.json.new'), text.slice(0, 20));
  await assert.rejects(acquireLock(dir, options(second)), { code: 'LOCKED' });
  assert.equal(readdirSync(dir).length, 3);
  lock.release();
  (await acquireLock(dir, options(machine(20, { 20: 't20' })))).release();
  assert.deepEqual(readdirSync(dir), ['10-cd.json.new']);
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

const third = machine(30, { ...both, 30: 't30' });
const all = { 10: 't10', 20: 't20', 30: 't30' };
const [one, two] = [machine(10, all), machine(20, all)];

test('runs on two repositories go together, and a run on one of theirs is told which it is', async () => {
  const a = await SharedLock.acquire(dir, options(one));
  await a.withRepository('debian', async () => {
    const b = await SharedLock.acquire(dir, options(two));
    assert.equal(b.isAlone, false, 'there is nothing to prepare');
    await b.withRepository('npm', async () => {});
    await assert.rejects(
      b.withRepository('debian', async () => assert.fail('both have it')),
      { code: 'LOCKED', message: /repository debian is locked by `shardctl add 10`, pid 10, since / },
    );
    b.release();
  });
  a.release();
  assert.deepEqual(readdirSync(dir), []);
});

test('who comes first has the home for itself until it shares it; whoever comes meanwhile waits without being told to', async () => {
  const a = await SharedLock.acquire(dir, options(one));
  assert.equal(a.isAlone, true);
  let isIn = false;
  const coming = SharedLock.acquire(dir, options(two)).then((lock) => {
    isIn = true;
    return lock;
  });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(isIn, false);
  a.share();
  const b = await coming;
  assert.deepEqual(holders().sort(), [10, 20]);
  a.release();
  b.release();
});

test('a run that wants the home is kept out by a run on a repository, and keeps such runs out', async () => {
  const a = await SharedLock.acquire(dir, options(one));
  await a.withRepository('debian', async () => {
    await assert.rejects(acquireLock(dir, options(third)), { code: 'LOCKED', message: /repository debian is locked by `shardctl add 10`/ });
  });
  a.release();
  const home = await acquireLock(dir, options(third));
  await assert.rejects(SharedLock.acquire(dir, options(two)), { code: 'LOCKED', message: /^locked by `shardctl add 30`/ });
  home.release();
});

test('the repository of a run that was killed is free, and the home is opened anew', async () => {
  const a = await SharedLock.acquire(dir, options(one));
  void a.withRepository('debian', () => new Promise(() => {}));
  await Promise.resolve();
  const b = await SharedLock.acquire(dir, options(machine(20, { 20: 't20' })));
  assert.equal(b.isAlone, true);
  await b.withRepository('debian', async () => {});
  b.release();
  assert.deepEqual(readdirSync(dir), []);
});

/** The third run waits for the home, and the run that was there before it is gone; a run that came later works on. */
async function withOneThatWaits(clock: Pick<LockOptions, 'now'>): Promise<{ waiting: ReturnType<typeof acquireLock>; late: SharedLock }> {
  const before = await SharedLock.acquire(dir, options(one, clock));
  before.share();
  const waiting = acquireLock(dir, options(third, { ...clock, waitMs: Number.POSITIVE_INFINITY }));
  // Nobody makes it wait longer than the run that was there before it does.
  const late = await SharedLock.acquire(dir, options(two, clock));
  before.release();
  while (!readdirSync(dir).some((name) => name.startsWith('30-'))) await new Promise((resolve) => setTimeout(resolve, 20));
  return { waiting, late };
}

test('new runs give way to one that waits for the home, once all that were there before it are gone, and for ten minutes', async () => {
  let now = Date.now();
  const clock = { now: () => now };
  const { waiting, late } = await withOneThatWaits(clock);
  await assert.rejects(SharedLock.acquire(dir, options(one, clock)), {
    code: 'LOCKED',
    message: /the next turn is that of `shardctl add 30`/,
  });
  now += 10 * 60_000;
  const patient = await SharedLock.acquire(dir, options(one, clock));
  patient.release();
  late.release();
  const home = await waiting;
  assert.deepEqual(holders(), [30]);
  home.release();
});

test('new runs do not give way for longer than ten minutes when the clock is set back meanwhile', async () => {
  let now = Date.now();
  const clock = { now: () => now };
  const { waiting, late } = await withOneThatWaits(clock);
  now -= 24 * 3600_000;
  const patient = await SharedLock.acquire(dir, options(one, clock));
  patient.release();
  late.release();
  (await waiting).release();
});

test('a task is done by one run at a time', async () => {
  const a = await SharedLock.acquire(dir, options(one));
  a.share();
  const b = await SharedLock.acquire(dir, options(two));
  const merging = a.tryTask('merge');
  assert.equal(b.tryTask('merge'), undefined);
  merging?.release();
  b.tryTask('merge')?.release();
  const order: string[] = [];
  let waiting: Promise<void> | undefined;
  await a.withTask('a shard', async () => {
    waiting = b.withTask('a shard', async () => void order.push('b'));
    await b.withTask('another', async () => void order.push('another'));
    order.push('a');
  });
  await waiting;
  assert.deepEqual(order, ['another', 'a', 'b']);
  a.release();
  b.release();
  assert.deepEqual(readdirSync(dir), []);
});
