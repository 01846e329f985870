import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ErrorCode, ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import type { Ledger } from '../allocate/ledger.ts';
import type { Holding } from '../holdings.ts';
import { Mover, type MoverRun, type PlannedMove } from './mover.ts';

/** Two copies more are to be made of one shard, which `a` alone has and cannot give. */
async function twoCopies(code: ErrorCode) {
  const spool = mkdtempSync(join(tmpdir(), 'shardctl-mover-'));
  const events: Event[] = [];
  const released: string[] = [];
  let opened = 0;
  const a = {
    name: 'a',
    metric: async () => ({}),
    open: async () => {
      opened++;
      throw new ShardctlError(code, 'a does not give it');
    },
  };
  const run = {
    index: { nextShardNumber: () => 1 },
    peers: new Map([['a', a]]),
    transfers: 1,
    spool,
    signal: new AbortController().signal,
    emit: (event: Event) => void events.push(event),
  };
  const ledger = { silent: () => new Map(), release: (name: string) => void released.push(name) };
  const holding = { cid: 'shard', label: 'shard 1', carBytes: 10, peers: ['a'] } as unknown as Holding;
  const moves = ['b', 'c'].map((to): PlannedMove => ({ holding, confirmed: ['a'], from: undefined, to, allocateBy: [] }));
  const mover = new Mover(run as unknown as MoverRun, ledger as unknown as Ledger);
  try {
    await mover.moveAll(moves);
  } finally {
    rmSync(spool, { recursive: true, force: true });
  }
  const { left, unreadable } = mover.counts;
  return { left, unreadable, opened, released, told: events.flatMap(({ type }) => (type === 'progress' ? [] : [type])) };
}

for (const [code, unreadable, told] of [
  ['DAMAGE', 1, 'damage'],
  ['TOO_FEW_PEERS', 0, 'warning'],
] as const) {
  test(`a shard of which two copies are to be made is read, counted and told once where it cannot be read for ${code}`, async () => {
    assert.deepEqual(await twoCopies(code), { left: 2, unreadable, opened: 1, released: ['b', 'c'], told: [told] });
  });
}
