import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemProcesses } from './process-table.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-race-'));
after(() => rmSync(scratch, { recursive: true }));

test('this process is found, one that never was is not', () => {
  const processes = systemProcesses();
  const { pid, started } = processes.self();
  assert.equal(processes.startedOf(pid), started);
  assert.equal(processes.startedOf(2 ** 30), undefined);
});

test('the scope of this boot is not past', () => {
  const processes = systemProcesses();
  assert.equal(processes.isPast(processes.self().scope), false);
  assert.equal(processes.isPast(''), false);
});

/** Takes the lock `turns` times; while it has it, `wx` shows whether somebody else has it too. */
const CONTENDER = `
  const [locks, critical, turns] = process.argv.slice(1);
  const { acquireLock } = await import('${new URL('../../home/lock.js', import.meta.url)}');
  const { systemProcesses } = await import('${new URL('./process-table.js', import.meta.url)}');
  const { closeSync, openSync, unlinkSync } = await import('node:fs');
  for (let turn = 0; turn < Number(turns); turn += 1) {
    const lock = await acquireLock(locks, { command: 'contender', waitMs: 120_000, processes: systemProcesses(), now: Date.now });
    if (critical === '') process.kill(process.pid, 'SIGKILL');
    closeSync(openSync(critical, 'wx'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    unlinkSync(critical);
    lock.release();
  }
`;

function contend(locks: string, critical: string, turns: number): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '-e', CONTENDER, locks, critical, String(turns)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

test('of processes that race for the lock of a killed one, one at a time has it', async () => {
  const locks = join(scratch, 'lock');
  const [, signal] = await once(contend(locks, '', 1), 'exit');
  assert.equal(signal, 'SIGKILL');
  assert.equal(readdirSync(locks).length, 1, 'the killed one left its lock');

  const critical = join(scratch, 'critical');
  const exits = await Promise.all(Array.from({ length: 5 }, () => once(contend(locks, critical, 4), 'exit')));
  assert.deepEqual(
    exits.map(([code]) => code),
    [0, 0, 0, 0, 0],
  );
  assert.deepEqual(readdirSync(locks), []);
});
