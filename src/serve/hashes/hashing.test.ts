import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turnOfLoop } from 'node:timers/promises';
import { PathMirror } from '../../testing/path-mirror.ts';
import { FileHashes } from './file-hashes.ts';
import { Hashing, type HashingTurn } from './hashing.ts';

const LARGE = { large: Buffer.alloc(2_000_000, 'large') };

async function withMirror(work: (mirror: PathMirror) => Promise<void>): Promise<void> {
  const mirror = new PathMirror();
  try {
    await mirror.commit('r', '2026-11-24T10:00:00.000Z', LARGE);
    await work(mirror);
  } finally {
    await mirror.close();
  }
}

async function ended(hashing: Hashing): Promise<void> {
  while (hashing.isAtWork) await turnOfLoop();
}

test('nothing is read before it is the turn of this process, nor when the one before has gone over the same trees', async () => {
  await withMirror(async (mirror) => {
    const signal = new AbortController().signal;
    const ends: (string | undefined)[] = [];
    let grant = (_turn: HashingTurn) => {};
    const turn = () =>
      new Promise<HashingTurn>((resolve) => {
        grant = resolve;
      });
    const grantAfter = (done: string | undefined) => grant({ done, end: (now) => ends.push(now) });
    const hashes = new FileHashes(undefined);
    const first = new Hashing({ mirror, hashes, turn, signal });
    first.start();
    assert.equal(mirror.held, 0);
    assert.equal(first.isAtWork, true);
    grantAfter(undefined);
    await ended(first);
    assert.deepEqual([hashes.size, typeof ends[0]], [1, 'string']);
    const empty = new FileHashes(undefined);
    const second = new Hashing({ mirror, hashes: empty, turn, signal });
    second.start();
    grantAfter(ends[0]);
    await ended(second);
    assert.deepEqual([empty.size, ends[1]], [0, ends[0]]);
    await mirror.commit('r', '2026-11-25T10:00:00.000Z', { ...LARGE, more: 'x' });
    mirror.forget('r', 1);
    second.start();
    grantAfter(ends[0]);
    await ended(second);
    assert.equal(empty.size, 1);
  });
});

test('where no more hashes are noted nothing is hashed', async () => {
  await withMirror(async (mirror) => {
    const hashes = new FileHashes(undefined);
    Object.defineProperty(hashes, 'isFull', { value: true });
    const hashing = new Hashing({ mirror, hashes, signal: new AbortController().signal });
    hashing.start();
    assert.equal(hashing.isAtWork, false);
    hashes.rootOf(Buffer.alloc(32, 1));
    mirror.hashes.rootOf(Buffer.alloc(32, 1));
    Object.defineProperty(mirror.hashes, 'isFull', { value: true });
    await mirror.app.inject('/r/large');
    assert.equal(mirror.hashes.size, 0);
  });
});
