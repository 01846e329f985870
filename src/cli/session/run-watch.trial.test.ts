/** A run that takes its time is seen by others, by its file in the home. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { homePaths } from '../../home/home.ts';
import { Program } from '../../testing/program.ts';
import { systemProcesses } from './process-table.ts';

/** Adds a source of one file. @returns its path */
function withOneFile(program: Program): string {
  const source = program.path('source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'x');
  program.succeeds('add', source, '--name', 'n');
  return source;
}

test('a run that waits for the lock is seen by status, and after kill -9 it is not', async () => {
  const program = new Program();
  try {
    withOneFile(program);
    const home = homePaths(program.home);
    const holder = { ...systemProcesses().self(), command: 'shardctl prune', at: new Date().toISOString() };
    writeFileSync(join(home.locks, `${holder.pid}-ab.json`), JSON.stringify(holder));
    const child = program.start('update', '--lock-wait', '600');
    const isOfChild = (name: string) => name.startsWith(`${child.pid}-`) && name.endsWith('.json');
    while (!existsSync(home.running) || !readdirSync(home.running).some(isOfChild)) {
      assert.equal(child.exitCode, null);
      await sleep(20);
    }
    const { stdout } = program.succeeds('status');
    assert.match(stdout, new RegExp(`^running: shardctl update, pid ${child.pid}, for `, 'm'));
    assert.match(stdout, /^running: shardctl prune, pid /m);
    const records = program
      .succeeds('status', '--json')
      .lines.map((line) => JSON.parse(line) as { type: string; state?: { words: string } });
    assert.ok(records.some(({ type, state }) => type === 'running' && state?.words === 'update'));
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(readdirSync(home.running).filter(isOfChild).length, 1);
    assert.doesNotMatch(program.succeeds('status').stdout, /running: shardctl update/);
  } finally {
    program.dispose();
  }
});

test('what runs came to is kept: one that has changed something, and one that has failed until one does not', () => {
  const program = new Program();
  try {
    const source = withOneFile(program);
    const { runs, failures } = homePaths(program.home);
    const read = () => JSON.parse(readFileSync(join(runs, 'update', 'n.json'), 'utf8')) as { number: number; changedEntries: number }[];
    assert.deepEqual(
      read().map(({ number, changedEntries }) => [number, changedEntries]),
      [[1, 1]],
    );
    program.succeeds('update');
    assert.equal(read().length, 1);
    assert.ok(!existsSync(failures));
    renameSync(source, program.path('away'));
    program.fails(40, /source/, 'update');
    assert.deepEqual(readdirSync(failures), ['n.json']);
    renameSync(program.path('away'), source);
    program.succeeds('update');
    assert.deepEqual(readdirSync(failures), []);
  } finally {
    program.dispose();
  }
});
