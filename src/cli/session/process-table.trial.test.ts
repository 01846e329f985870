import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
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

/** Takes a repository or, every fourth turn, the home; files show who else has what at that time. */
const PARTNER = `
  const [locks, critical, turns, self] = process.argv.slice(1);
  const { acquireLock, SharedLock } = await import('${new URL('../../home/lock.js', import.meta.url)}');
  const { systemProcesses } = await import('${new URL('./process-table.js', import.meta.url)}');
  const { closeSync, openSync, readdirSync, unlinkSync } = await import('node:fs');
  const options = { command: 'partner', waitMs: 120_000, processes: systemProcesses(), now: Date.now };
  const during = async (name, mayBeThere) => {
    const path = critical + '/' + name;
    closeSync(openSync(path, 'wx'));
    const wrong = readdirSync(critical).filter((other) => other !== name && !mayBeThere(other));
    if (wrong.length > 0) throw new Error(name + ' beside ' + wrong);
    await new Promise((resolve) => setTimeout(resolve, 5));
    unlinkSync(path);
  };
  for (let turn = 0; turn < Number(turns); turn += 1) {
    if ((turn + Number(self)) % 4 === 0) {
      const lock = await acquireLock(locks, options);
      await during('home', () => false);
      lock.release();
      continue;
    }
    const lock = await SharedLock.acquire(locks, options);
    if (lock.isAlone) await during('home', () => false);
    await lock.withRepository('r' + ((turn + Number(self)) % 2), () => during('r' + ((turn + Number(self)) % 2), (other) => other !== 'home'));
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

test('of processes that want repositories or the home, those go on together that may', async () => {
  const [locks, critical] = [join(scratch, 'shared'), join(scratch, 'together')];
  mkdirSync(critical);
  const exits = await Promise.all(
    ['0', '1', '2', '3'].map((self) => {
      const argv = ['--input-type=module', '-e', PARTNER, locks, critical, '8', self];
      return once(spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'inherit'] }), 'exit');
    }),
  );
  assert.deepEqual(
    exits.map(([code]) => code),
    [0, 0, 0, 0],
  );
  assert.deepEqual(readdirSync(locks), []);
});
