/** Who comes first to a home that several runs share, in whatever order their files come to lie there. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SharedLock } from './lock.ts';
import type { LockOptions, ProcessTable } from './lock-files.ts';

let dir: string;
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'shardctl-lock-')), 'lock');
});
afterEach(() => rmSync(join(dir, '..'), { recursive: true }));

/** Both run, on one machine. */
function process(pid: 10 | 20): ProcessTable {
  const identity = { host: 'mirror', scope: 'boot' };
  return { self: () => ({ pid, started: `${pid}`, ...identity }), startedOf: (other) => `${other}`, isPast: () => false };
}

function options(processes: ProcessTable): LockOptions {
  return { command: 'shardctl update', waitMs: 10_000, processes, now: Date.now };
}

const one = process(10);
const two = process(20);

/** As `one`, for a run that is held up before it puts its Nth file: meanwhile `happens`. */
function heldUp(nth: number, happens: () => void): ProcessTable {
  let files = 0;
  return {
    ...one,
    self: () => {
      if (++files === nth) happens();
      return one.self();
    },
  };
}

/** Pids of the runs whose file says that they have the home for themselves for a moment. */
function openers(): string[] {
  return readdirSync(dir).filter((name) => (JSON.parse(readFileSync(join(dir, name), 'utf8')) as { kind?: string }).kind === 'opening');
}

test('a run that was held up before it put its files is not alone when another one has come, and shares already', async () => {
  let coming: Promise<SharedLock> | undefined;
  const late = heldUp(1, () => {
    coming = SharedLock.acquire(dir, options(two));
    for (const name of openers()) rmSync(join(dir, name)); // as `share` does, which this test cannot await here
  });
  const a = await SharedLock.acquire(dir, options(late));
  const b = (await coming) as SharedLock;
  assert.deepEqual([a.isAlone, b.isAlone], [false, true]);
  a.release();
  b.release();
  assert.deepEqual(readdirSync(dir), []);
});

test('nobody comes beside a run that is about to have the home for itself, and has put one of its files', async () => {
  let coming: Promise<SharedLock> | undefined;
  let isIn = false;
  const late = heldUp(2, () => {
    coming = SharedLock.acquire(dir, options(two)).then((lock) => {
      isIn = true;
      return lock;
    });
  });
  const a = await SharedLock.acquire(dir, options(late));
  await sleep(60);
  assert.deepEqual([a.isAlone, isIn], [true, false]);
  a.share();
  const b = (await coming) as SharedLock;
  assert.equal(b.isAlone, false);
  a.release();
  b.release();
});
