import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { DIRECTORY, FILE } from '../../core/model.ts';
import { Destination } from '../../restore/destination.ts';
import { OutDirectory } from '../out/out-directory.ts';
import type { Deletion } from './deletions.ts';
import { LeftBehind } from './left-behind.ts';
import { movesOf } from './moves.ts';
import { publish } from './publish.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-killed-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

function write(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), '');
  }
}

/** @param seen is called before each change */
function publishInto(name: string, deletions: readonly Deletion[], seen = () => {}): void {
  const [out, staging] = [join(dir, name), join(dir, name, '.shardctl-fetch/new')];
  const moves = movesOf(staging, out, () => true, true);
  const destination = new Destination({ libc: undefined, overwrite: true, specialBits: false, warn: () => {} });
  const signal = { throwIfAborted: seen } as AbortSignal;
  const directory = OutDirectory.open(out);
  publish({
    out: directory,
    libc: undefined,
    staging,
    aside: `${out}/.shardctl-fetch/old`,
    moves,
    deletions,
    destination,
    behind: new LeftBehind(directory, () => {}),
    emit: () => {},
    signal,
    itemize: false,
  });
  directory.close();
}

test('what a killed run has moved aside is not in the way of the next one', () => {
  write('aside/gone/file', 'aside/.shardctl-fetch/old/0/file', 'aside/.shardctl-fetch/new/came');
  publishInto('aside', [{ path: 'gone', kind: DIRECTORY }]);
  assert.deepEqual(readdirSync(join(dir, 'aside')).sort(), ['.shardctl-fetch', 'came']);
});

test('a directory that is left of a run for another tree does not come into OUT', () => {
  write(
    'other/same',
    'other/.shardctl-fetch/new/same/file',
    'other/.shardctl-fetch/new/more/file',
    'other/.shardctl-fetch/new/in/left/file',
  );
  const staging = join(dir, 'other/.shardctl-fetch/new');
  const { inOrder } = movesOf(
    staging,
    join(dir, 'other'),
    () => false,
    true,
    (path) => path === 'in',
  );
  assert.deepEqual(
    inOrder.map(({ path }) => path),
    ['in'],
  );
  assert.deepEqual(readdirSync(join(staging, 'in')), []);
});

test('an index is deleted before what it names, wherever they lie', () => {
  write('gone/packages/a.whl', 'gone/simple/a/index.html', 'gone/.shardctl-fetch/new/came');
  const [file, index] = [join(dir, 'gone/packages/a.whl'), join(dir, 'gone/simple/a/index.html')];
  const deletions: Deletion[] = [
    { path: 'packages/a.whl', kind: FILE },
    { path: 'simple', kind: DIRECTORY },
  ];
  publishInto('gone', deletions, () => assert.ok(existsSync(file) || !existsSync(index)));
  assert.deepEqual([existsSync(file), existsSync(index)], [false, false]);
});

test('what was in a directory that a file has replaced needs no deletion any more', () => {
  write('kinds/a/b', 'kinds/.shardctl-fetch/new/a');
  publishInto('kinds', [{ path: 'a/b', kind: FILE }]);
  assert.ok(lstatSync(join(dir, 'kinds/a')).isFile());
});
