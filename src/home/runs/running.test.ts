import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { homePaths } from '../home.ts';
import type { Holder, ProcessTable } from '../lock-files.ts';
import { RunFile, type RunState, runningRuns } from './running.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-running-'));
after(() => rmSync(scratch, { recursive: true }));

const STATE: RunState = { words: 'update', repository: 'debian', sealed: 2, placed: 1, placedBytes: 5, problems: 0 };
const NOW = Date.now();

function holder(pid: number, more: Partial<Holder> = {}): Holder {
  return { pid, host: 'here', scope: 'boot', started: `${pid}`, command: 'shardctl update', at: '2026-11-25T12:00:00.000Z', ...more };
}

/** Processes of this scope whose pid is listed. */
function processes(...pids: number[]): ProcessTable {
  return {
    self: () => ({ pid: 1, host: 'here', scope: 'boot', started: '1' }),
    startedOf: (pid) => (pids.includes(pid) ? `${pid}` : undefined),
    isPast: (scope) => scope === 'boot before',
  };
}

function freshHome() {
  return homePaths(mkdtempSync(join(scratch, 'home-')));
}

test('a run is seen until it ends, and not when its process was killed', () => {
  const home = freshHome();
  const run = new RunFile(home.running, holder(7), processes(7));
  assert.deepEqual(runningRuns(home, processes(7), NOW), []);
  run.write(STATE);
  assert.deepEqual(
    runningRuns(home, processes(7), NOW).map(({ pid, state }) => ({ pid, state })),
    [{ pid: 7, state: STATE }],
  );
  assert.deepEqual(runningRuns(home, processes(), NOW), []);
  run.remove();
  run.remove();
  assert.deepEqual(readdirSync(home.running), []);
});

test('another process that has got the same pid is not taken for the run', () => {
  const home = freshHome();
  new RunFile(home.running, holder(7, { started: 'earlier' }), processes(7)).write(STATE);
  assert.deepEqual(runningRuns(home, processes(7), NOW), []);
});

test('the file of a killed run goes with the next run, that of a living one stays', () => {
  const home = freshHome();
  new RunFile(home.running, holder(7), processes(7, 8)).write(STATE);
  new RunFile(home.running, holder(8), processes(7, 8)).write(STATE);
  new RunFile(home.running, holder(9), processes(8, 9)).write(STATE);
  assert.deepEqual(
    runningRuns(home, processes(7, 8, 9), NOW).map(({ pid }) => pid),
    [8, 9],
  );
});

test('a run of another machine counts while its file is young', () => {
  const home = freshHome();
  new RunFile(home.running, holder(7, { host: 'there' }), processes()).write(STATE);
  assert.equal(runningRuns(home, processes(), NOW).length, 1);
  const [name = ''] = readdirSync(home.running);
  utimesSync(join(home.running, name), (NOW - 120_000) / 1000, (NOW - 120_000) / 1000);
  assert.equal(runningRuns(home, processes(), NOW).length, 0);
});

test('whoever has the lock is seen although it tells nothing, and once when it does', () => {
  const home = freshHome();
  mkdirSync(home.locks);
  writeFileSync(join(home.locks, '7-ab.json'), JSON.stringify(holder(7)));
  writeFileSync(join(home.locks, '8-ab.json'), JSON.stringify(holder(8)));
  assert.deepEqual(
    runningRuns(home, processes(7), NOW).map(({ pid, state }) => ({ pid, state })),
    [{ pid: 7, state: undefined }],
  );
  new RunFile(home.running, holder(7), processes(7)).write(STATE);
  assert.equal(runningRuns(home, processes(7), NOW).length, 1);
});

test('what is no file of a run is passed over', () => {
  const home = freshHome();
  mkdirSync(home.running, { recursive: true });
  for (const [name, text] of [
    ['7-ab.json', '{"pid":7,'],
    ['8-ab.json', 'null'],
    ['9-ab.json', '{"pid":"9","host":"here","command":"x"}'],
    ['notes.txt', 'x'],
  ] as const) {
    writeFileSync(join(home.running, name), text);
  }
  assert.deepEqual(runningRuns(home, processes(7, 8, 9), NOW), []);
});

test('a home that cannot be written has no such file, and no error', () => {
  const home = freshHome();
  writeFileSync(home.runs, 'a file where the directory should be');
  const run = new RunFile(home.running, holder(7), processes(7));
  run.write(STATE);
  run.remove();
  assert.deepEqual(runningRuns(home, processes(7), NOW), []);
});
