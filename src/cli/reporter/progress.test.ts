import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FAILURE,
  FAILURE_TEXT,
  imported,
  MIB,
  PROBLEM_TEXT,
  PROBLEMS,
  rig,
  SUMMARY,
  SUMMARY_TEXT,
  scan,
} from '../../testing/reporter-rig.ts';
import { progressReporter } from './progress.ts';

/** What a terminal shows of it: no cursor movements, each drawn line once. */
function drawn(text: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal is steered with
  return text.split(/\x1B\[[0-9;?]*[A-Za-z]|\n/).filter((line) => line !== '');
}

test('progress: bars for files, data and each peer; marked while still counting', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { reporter, stdout, stderr, clock, feed } = rig((output, clock) => progressReporter(output, false, clock.now), { columns: 100 });
  feed(
    { type: 'peer', name: 'a-peer-with-a-long-name', freeBytes: 75 * MIB, usedBytes: 25 * MIB },
    scan(10, 10 * MIB, false),
    imported(0, 0),
  );
  clock.ms = 5_000;
  feed(imported(5, 5 * MIB));
  t.mock.timers.tick(200);
  assert.deepEqual(drawn(stderr.text), [
    'a-peer-wi… ██████░░░░░░░░░░░░░░░░░░ 25.0 MiB used, 75.0 MiB free',
    'files                               5/10+ files',
    'data                                5.0 MiB/10.0 MiB+  1.0 MiB/s, still counting',
    'shards                              0 shards placed',
  ]);

  stderr.text = '';
  feed(scan(20, 20 * MIB, true), { type: 'sealed', shard: 0, cid: 'bafy', bytes: 1, blocks: 1 });
  t.mock.timers.tick(200);
  assert.deepEqual(drawn(stderr.text).slice(1), [
    'files      ██████░░░░░░░░░░░░░░░░░░ 5/20 files',
    'data       ██████░░░░░░░░░░░░░░░░░░ 5.0 MiB/20.0 MiB  1.0 MiB/s, 15 s left',
    'shards                              0 shards placed, 1 under way',
  ]);

  stderr.text = '';
  feed(...PROBLEMS);
  t.mock.timers.tick(200);
  assert.equal(drawn(stderr.text).slice(0, 5).join('\n'), PROBLEM_TEXT.trimEnd(), 'problems stand above the bars');

  stderr.text = '';
  feed({ type: 'summary', ...SUMMARY });
  reporter.finish({ code: 0 });
  assert.equal(stdout.text, SUMMARY_TEXT);
  assert.deepEqual(drawn(stderr.text), [], 'the bars are gone');
});

test('progress: a line is never wider than the terminal', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { reporter, stderr, feed } = rig((output, clock) => progressReporter(output, false, clock.now), { columns: 40 });
  feed({ type: 'peer', name: 'disk1', freeBytes: MIB, usedBytes: MIB }, scan(1e9, 1e15, true), imported(5e8, 5e14));
  t.mock.timers.tick(200);
  for (const line of drawn(stderr.text)) assert.ok(line.length <= 40, line);
  reporter.finish({ code: 0 });
});

test('progress: a run that fails before there is anything to show prints only its error', () => {
  const { reporter, stderr } = rig((output, clock) => progressReporter(output, false, clock.now), { columns: 80 });
  reporter.finish(FAILURE);
  assert.deepEqual(drawn(stderr.text), [FAILURE_TEXT.trimEnd()]);
});

test('progress: what a command says at its end does not stand behind a bar', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { output, reporter, stdout, stderr, feed } = rig((output, clock) => progressReporter(output, false, clock.now), { columns: 80 });
  feed({ type: 'progress', label: 'verify', done: 1, total: 2, bytes: 0 });
  t.mock.timers.tick(200);
  assert.equal(drawn(stderr.text).length, 1);
  stderr.text = '';
  output.line('2 shards looked at');
  assert.ok(stderr.text !== '' && drawn(stderr.text).length === 0, 'the bar is taken down before the line');
  t.mock.timers.tick(200);
  assert.equal(drawn(stderr.text).length, 0, 'and is not drawn again');
  feed({ type: 'progress', label: 'repair', done: 1, total: 2, bytes: 0 });
  t.mock.timers.tick(200);
  assert.match(drawn(stderr.text).join(), /^repair /, 'until the run goes on');
  reporter.finish({ code: 0 });
  assert.equal(stdout.text, '2 shards looked at\n');
});

test('progress: a step without a bar has the room of the bar for its name', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { reporter, stderr, feed } = rig((output, clock) => progressReporter(output, false, clock.now), { columns: 80 });
  feed({ type: 'progress', label: 'looking whether trees are whole', done: 5, total: 0, bytes: 0 });
  t.mock.timers.tick(200);
  assert.match(drawn(stderr.text).join(), /^looking whether trees are whole +5/);
  reporter.finish({ code: 0 });
});
