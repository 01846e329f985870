import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadPath, type ToldEntry, type ToldPaths, toldByList, toldByRsync } from './told-paths.ts';

function pathsIn({ root }: ToldPaths): string[] {
  const all: string[] = [];
  const visit = ({ below, isWhole }: ToldEntry, path: string) => {
    if (below.size === 0 || isWhole) all.push(isWhole ? `${path}/` : path);
    for (const [name, entry] of below) visit(entry, path === '' ? name : `${path}/${name}`);
  };
  visit(root, '');
  return all.filter((path) => path !== '').sort();
}

test('a list has a path a line, or ended by NUL if it has any NUL, from the root of the source or absolute', () => {
  const list = (text: string) => pathsIn(toldByList(Buffer.from(text, 'latin1'), '/srv/m'));
  assert.deepEqual(list('a/b\n./c\r\n\n/d\n/srv/m/e/f\nwhole/\n'), ['a/b', 'c', 'd', 'e/f', 'whole/']);
  assert.deepEqual(list('a\nb\0c d\xe9\0'), ['a\nb', 'c d\xe9']);
  assert.deepEqual(list(''), []);
  assert.deepEqual(list('a\na/\na/b\n'), ['a/', 'a/b']);
  for (const bad of ['../x', 'a/../../x', '/srv/m/../x']) assert.throws(() => list(bad), BadPath, bad);
});

test("rsync's output and its log file say what has changed; all other lines are passed over", () => {
  const log = [
    'sending incremental file list',
    '.d..t...... ./',
    '>f+++++++++ new file',
    '>f.st...... pool/changed.deb',
    '.f...p..... mode',
    'cd+++++++++ dir/',
    'cL+++++++++ link -> target -> odd',
    'hf+++++++++ hard => other',
    '*deleting   gone/',
    '*deleting   gone/file',
    '.f          same',
    String.raw`>f+++++++++ caf\#351`,
    '2026/11/26 15:00:01 [4711] >f.st...... logged',
    '2026/11/26 15:00:01 [4711] *deleting   gone too',
    '2026/11/26 15:00:01 [4711] sent 1,234 bytes  received 35 bytes  total size 12',
    'sent 1,234 bytes  received 35 bytes  2,538.00 bytes/sec',
    'total size is 12  speedup is 0.01',
  ].join('\n');
  assert.deepEqual(pathsIn(toldByRsync(Buffer.from(log, 'latin1'))), [
    'caf\xe9',
    'dir',
    'gone too',
    'gone/file',
    'hard',
    'hard => other',
    'link',
    'link -> target',
    'link -> target -> odd',
    'logged',
    'mode',
    'new file',
    'pool/changed.deb',
    'same',
  ]);
});
