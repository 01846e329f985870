import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../core/events.ts';
import {
  type Clock,
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
import { jsonReporter } from './json.ts';
import type { Output } from './output.ts';
import { plainReporter } from './plain.ts';
import { progressReporter } from './progress.ts';
import { quietReporter } from './quiet.ts';

test('plain: problems at once on stderr, the summary on stdout, the error last and in one line', () => {
  const { reporter, stdout, stderr, feed } = rig((output, clock) => plainReporter(output, false, clock.now));
  feed(scan(1, 1, false), ...PROBLEMS, { type: 'summary', ...SUMMARY });
  reporter.finish(FAILURE);
  assert.equal(stdout.text, SUMMARY_TEXT);
  assert.equal(stderr.text, PROBLEM_TEXT + FAILURE_TEXT);
});

const SUMMARY_OF_MANY = {
  ...SUMMARY,
  peers: Array.from({ length: 26 }, (_, at) => ({ name: `disk${at}`, freeBefore: MIB, freeAfter: MIB, placedBytes: 0 })),
};

test('a terminal is told of the first of many peers, and how many more there are; a pipe of all', () => {
  const summarize = (terminal: { columns: number } | undefined) => {
    const { stdout, feed } = rig((output, clock) => plainReporter(output, false, clock.now), terminal);
    feed({ type: 'summary', ...SUMMARY_OF_MANY });
    return stdout.lines.filter((line) => line.startsWith('  peer'));
  };
  assert.equal(summarize(undefined).length, 26);
  const lines = summarize({ columns: 80 });
  assert.deepEqual([lines.length, lines.at(-1)], [9, '  peer      +18 more; --wide shows all']);
});

test('quiet: of a million entries with one problem some are named, and the others counted', () => {
  const { reporter, stderr, feed } = rig((output) => quietReporter(output));
  for (let at = 0; at < 30; at++) feed({ type: 'entry', problem: 'unreadable', path: `pool/${at}`, detail: 'EACCES' });
  feed({ type: 'entry', problem: 'vanished', path: 'pool/x', detail: 'ENOENT' });
  reporter.finish({ code: 23 });
  assert.equal(stderr.lines.length, 22);
  assert.equal(stderr.lines.at(-1), 'cannot read: and 10 more');
});

test('plain: how far it is once in ten seconds, with a remaining time only when everything is counted', () => {
  const { stderr, clock, feed } = rig((output, clock) => plainReporter(output, false, clock.now));
  feed(scan(10, 10 * MIB, false), imported(0, 0));
  clock.ms = 9_999;
  feed(imported(4, 5 * MIB));
  assert.equal(stderr.text, '');
  clock.ms = 10_000;
  feed(imported(5, 10 * MIB));
  clock.ms = 20_000;
  feed(scan(30, 40 * MIB, true), { type: 'sealed', shard: 0, cid: 'bafy', bytes: 1, blocks: 1 }, imported(10, 20 * MIB));
  assert.deepEqual(stderr.lines, [
    '5/10+ files, 10.0 MiB/10.0 MiB+, 0 shards placed, 1.0 MiB/s, still counting',
    '5/30 files, 10.0 MiB/40.0 MiB, 0 shards placed, 1.0 MiB/s, 30 s left',
  ]);
});

test('plain: nothing is said of files where no source is scanned', () => {
  const { stderr, clock, feed } = rig((output, clock) => plainReporter(output, false, clock.now));
  clock.ms = 10_000;
  feed({ type: 'placed', shard: 3, cid: 'bafyshard', bytes: MIB, peers: ['a'] });
  assert.equal(stderr.text, '');
  feed({ type: 'progress', label: 'shards', done: 2, total: 5, bytes: 0 });
  assert.deepEqual(stderr.lines, ['shards: 2/5']);
});

test('plain: with -v each shard has its line', () => {
  const { stderr, feed } = rig((output, clock) => plainReporter(output, true, clock.now));
  feed(
    { type: 'sealed', shard: 3, cid: 'bafyshard', bytes: MIB, blocks: 1 },
    { type: 'placed', shard: 3, cid: 'bafyshard', bytes: MIB, peers: ['a', 'b'] },
  );
  assert.deepEqual(stderr.lines, ['shard 3 sealed: bafyshard, 1.0 MiB in 1 block', 'shard 3 placed on a, b']);
});

test('an entry whose name looks like a command is shown by that name, also where commands name the home', () => {
  for (const make of [plainReporter, progressReporter]) {
    const { stdout, feed } = rig((output, clock) => {
      output.nameHome('/srv/home');
      return make(output, false, clock.now);
    });
    feed({ type: 'change', itemize: '*deleting', path: 'notes on `shardctl add`', kind: 'file' });
    assert.match(stdout.text, /notes on `shardctl add`\n$/);
  }
});

test('changes and plans are results: on stdout, in every reporter that speaks when all is well', () => {
  const change: Event = { type: 'change', itemize: '*deleting', path: 'pool/old', kind: 'directory' };
  const plan: Event = {
    type: 'plan',
    repository: 'debian',
    parent: 'bafysnapshot',
    entries: 40_016,
    newEntries: 12,
    changedEntries: 3,
    metadataEntries: 1,
    deletedEntries: 1,
    readFiles: 15,
    resumedFiles: 0,
    readBytes: 3 * MIB,
    newShards: 1,
    peers: [{ name: 'disk1', freeBefore: 1024 * MIB, freeAfter: 1021 * MIB }],
    lackingBytes: 0,
    problems: { unreadable: 0, vanished: 0, changed: 0, special: 1 },
  };
  const text = `*deleting   pool/old/
debian: a dry run, nothing was changed
  holds     40,016 entries
  changes   12 new, 3 changed, 1 in mode or time, 1 deleted
  to read   15 files, 3.0 MiB, at most 1 new shard
  left out  1 not a file, directory or symlink
  peer      disk1: free 1.0 GiB → 1021.0 MiB
  fits      yes
`;
  const makers = [
    (output: Output, clock: Clock) => plainReporter(output, false, clock.now),
    (output: Output, clock: Clock) => progressReporter(output, false, clock.now),
  ];
  for (const make of makers) {
    const { stdout, stderr, feed } = rig(make);
    feed(change, plan);
    assert.deepEqual([stdout.text, stderr.text], [text, '']);
  }
  const { stdout, feed } = rig((output) => quietReporter(output));
  feed(change, plan);
  assert.equal(stdout.text, '');
});

test('one repository of several that fails is an error line, also with -q', () => {
  const { reporter, stderr, feed } = rig((output) => quietReporter(output));
  feed({ type: 'failed', repository: 'npm', code: 'SOURCE_MISSING', message: 'no such directory', hint: 'mount it' });
  reporter.finish({ code: 40 });
  assert.equal(stderr.text, 'shardctl: npm: no such directory; mount it\n');
});

test('quiet: one cause has one line, however many repositories and shards it hits', () => {
  const { reporter, stderr, feed } = rig((output) => quietReporter(output));
  const away = (message: string, peer = 'd1'): Event => ({ type: 'warning', message, cause: `${peer} is not there` });
  const failed = (repository: string, lacking: number, peer: string): Event => ({
    type: 'failed',
    repository,
    code: 'TOO_FEW_PEERS',
    message: `${lacking} shards are only on ${peer}`,
  });
  const shard = (name: string): Event => ({ type: 'too-few', what: name, where: 'd4' });
  feed(away('a needs d1'), away('a needs d1'), away('b needs d1'), away('c needs d2', 'd2'), away('c needs d3', 'd3'));
  feed(failed('a', 4, 'd1'), failed('b', 12, 'd1'), failed('c', 4, 'd2'));
  feed(...['s0', 's1', 's2', 's3', 's4'].map(shard), { type: 'mended', what: 's5', where: 'd4' });
  feed({ type: 'no-answer', peer: 'd3', detail: 'd3 is not there' });
  assert.equal(stderr.text, '');
  reporter.finish({ code: 44 });
  assert.deepEqual(stderr.lines, [
    'warning: a needs d1 (and 1 warning of the same reason)',
    'warning: c needs d2',
    'shardctl: a, b: 4 shards are only on d1',
    'shardctl: c: 4 shards are only on d2',
    'too few replicas: s0, s1, s2 and 2 more on d4',
    'mended: s5 on d4',
    'no answer: peer d3: d3 is not there',
  ]);
});

test('quiet: what is said of many peers alike is one line, which names a few', () => {
  const { reporter, stderr, feed } = rig((output) => quietReporter(output));
  const names = ['disk1', 'disk10', 'disk2', 'disk3', 'disk4', 'disk5'];
  const gone = (name: string) => `peer "${name}" is not there: /mnt/${name}/peer.json does not exist`;
  feed(
    ...names.map((peer): Event => ({ type: 'warning', peer, message: `peer ${peer} has not answered since noon`, hint: 'bring it back' })),
  );
  feed(...names.map((peer): Event => ({ type: 'no-answer', peer, shards: peer.length, detail: gone(peer) })));
  feed({ type: 'no-answer', peer: 'attic', detail: 'peer "attic" is not there: refused' });
  feed(...names.map((peer): Event => ({ type: 'back', peer, since: 'noon' })));
  feed({ type: 'damage', what: 's1', where: names.join(', '), detail: 'is not there' });
  feed({ type: 'warning', peer: 'disk2', message: `a block of s1 cannot be read: ${gone('disk2')}` });
  reporter.finish({ code: 44 });
  assert.deepEqual(stderr.lines, [
    'warning: peer disk10 has not answered since noon; bring it back (and the same of disk1, disk2, disk3 and 2 more)',
    `no answer: peers disk1, disk10, disk2 and 3 more, of the first: ${gone('disk1')}`,
    'no answer: peer attic: peer "attic" is not there: refused',
    'peers disk1, disk10, disk2 and 3 more answer again, after noon',
    'damage: s1 on disk1, disk10, disk2 and 3 more: is not there',
  ]);
});

test('quiet: warnings of peers that they name in the event are one, whatever words they are in; other words are none of their names', () => {
  const { reporter, stderr, feed } = rig((output) => quietReporter(output));
  feed(...['a-1', 'b.2'].map((peer): Event => ({ type: 'warning', peer, message: `${peer} lags`, cause: `${peer} lags` })));
  feed(...['one', 'two'].map((what): Event => ({ type: 'warning', message: `peer ${what} is what a file is called`, cause: what })));
  reporter.finish({ code: 0 });
  assert.deepEqual(stderr.lines, [
    'warning: a-1 lags (and the same of b.2)',
    'warning: peer one is what a file is called',
    'warning: peer two is what a file is called',
  ]);
});

test('quiet: warnings of several peers are not told where the error names these peers, and all are where it leaves one out', () => {
  const gone = (name: string) => `peer "${name}" is not there`;
  const linesOf = (why: string) => {
    const { reporter, stderr, feed } = rig((output) => quietReporter(output));
    const warning = (peer: string): Event => ({ type: 'warning', peer, message: `without ${peer}: ${gone(peer)}`, cause: gone(peer) });
    feed(...['d1', 'd2', 'd3'].map(warning));
    reporter.finish({ code: 42, error: { code: 'TOO_FEW_PEERS', message: `2 replicas are asked for; ${why}` } });
    return stderr.lines.slice(0, -1);
  };
  assert.deepEqual(linesOf([gone('d1'), gone('d2'), gone('d3')].join('; ')), []);
  assert.deepEqual(linesOf(`${gone('d1')} and 2 more`), []);
  assert.deepEqual(linesOf(gone('d2')), [`warning: without d1: ${gone('d1')} (and the same of d2, d3)`]);
});

test('plain: of thousands that were mended on a peer ten are named, and how many more at the end; all of them with -v', () => {
  const mended = (at: number): Event => ({ type: 'mended', what: `shard ${at}`, where: at < 3 ? 'd1' : 'd4' });
  const events = Array.from({ length: 2003 }, (_, at) => mended(at));
  const { reporter, stderr, feed } = rig((output) => plainReporter(output, false, () => 0));
  feed(...events);
  reporter.finish({ code: 0 });
  assert.equal(stderr.lines.length, 3 + 10 + 1);
  assert.equal(stderr.lines.at(-1), 'mended: and 1,990 more on d4');
  const verbose = rig((output) => plainReporter(output, true, () => 0));
  verbose.feed(...events);
  verbose.reporter.finish({ code: 0 });
  assert.equal(verbose.stderr.lines.length, 2003);
});

test('quiet: not a word when all is well, every problem otherwise', () => {
  const { reporter, stdout, stderr, feed } = rig((output) => quietReporter(output));
  feed(
    scan(1, 1, true),
    imported(1, 1),
    { type: 'entry', problem: 'special', path: 'fifo', detail: 'a FIFO' },
    { type: 'summary', ...SUMMARY },
  );
  reporter.finish({ code: 0 });
  assert.equal(stdout.text + stderr.text, '');
  feed(...PROBLEMS);
  reporter.finish(FAILURE);
  assert.equal(stdout.text, '');
  assert.equal(stderr.text, PROBLEM_TEXT.replace('skipped: fifo: a FIFO\n', '') + FAILURE_TEXT);
});

test('json: each event is a line, and the exit is the last', () => {
  const { reporter, stdout, stderr, feed } = rig((output) => jsonReporter(output, false));
  feed(scan(1, 2, true), ...PROBLEMS);
  reporter.finish(FAILURE);
  assert.deepEqual(
    stdout.lines.map((line) => JSON.parse(line)),
    [scan(1, 2, true), ...PROBLEMS, { type: 'exit', ...FAILURE, v: 1 }],
  );
  assert.equal(stderr.text, '');
});

test('json: -q leaves out progress, never problems or the summary', () => {
  const { reporter, stdout, feed } = rig((output) => jsonReporter(output, true));
  feed(scan(1, 2, true), imported(1, 2), ...PROBLEMS, { type: 'summary', ...SUMMARY });
  reporter.finish({ code: 0 });
  assert.deepEqual(
    stdout.lines.map((line) => (JSON.parse(line) as { type: string }).type),
    [...PROBLEMS.map(({ type }) => type), 'summary', 'exit'],
  );
});
