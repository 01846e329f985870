import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { HotFile } from '../../index/entries/hot-file.ts';
import { openSource } from '../../source/source.ts';
import { beginEach, tick } from '../../testing/each.ts';
import type { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';
import { SecondThread } from './second-thread.ts';
import type { SweptBlock } from './sweep-block.ts';
import type { SweepTask } from './sweep-task.ts';

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

/** A task of a tree whose entries fill one block. */
async function taskOf(source: SweepTask['source']): Promise<Omit<SweepTask, 'next'>> {
  const entries = join(home.dir, 'index', 'entries');
  const [repository] = readdirSync(entries) as [string];
  const name = readdirSync(join(entries, repository)).find((its) => its.endsWith('.hot')) as string;
  const hot = new HotFile(join(entries, repository, name));
  const offsets = hot.offsets();
  hot.close();
  const trust = { checksum: false, ignoreCtime: false, ignoreInode: false };
  return { hotPath: hot.path, offsets, source, filters: [], copyLinks: true, trust, metadata: true };
}

/** Waits until the thread has come to take a block, or is done with the task. */
async function helped(thread: SecondThread, task: Omit<SweepTask, 'next'>): Promise<SweptBlock[]> {
  const next = new Int32Array(new SharedArrayBuffer(8));
  const found: SweptBlock[] = [];
  const help = thread.help({ ...task, next }, (_, block) => found.push(block));
  // As if it had come: so it is waited for.
  Atomics.store(next, 1, 1);
  await help.answered();
  help.receive();
  help.end();
  return found;
}

test('a task that comes too late, when its source is closed, is not the last one', { timeout: 30_000 }, async () => {
  writeTree(dir, { a: 'one', sub: { b: 'two' }, link: { link: 'sub/b' } });
  await tick();
  await home.add(dir, { copyLinks: true });
  const thread = new SecondThread();
  // Not a descriptor that was closed: another file might have it by now.
  const task = await taskOf({ path: dir, fd: 1_000_000 });
  assert.deepEqual(await helped(thread, task), []);
  const opened = openSource(dir, undefined);
  assert.equal((await helped(thread, { ...task, source: opened.handle })).length, 1);
  opened.close();
  thread.stop();
});

test('nothing of a task stays open', { timeout: 30_000, skip: process.platform !== 'linux' }, async () => {
  writeTree(dir, { a: 'one', sub: { deep: { b: 'two' }, link: { link: 'deep/b' } } });
  await tick();
  await home.add(dir, { copyLinks: true });
  const opened = openSource(dir, undefined);
  const task = await taskOf(opened.handle);
  const thread = new SecondThread();
  await helped(thread, task);
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 5; i++) assert.equal((await helped(thread, task)).length, 1);
  assert.equal(readdirSync('/proc/self/fd').length, before);
  opened.close();
  thread.stop();
});
