import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Event } from '../../core/events.ts';
import { linuxCalls } from '../../core/libc.ts';
import { DIRECTORY, FILE } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { openSource, type Source } from '../../source/source.ts';
import { writeTree } from '../../testing/tree.ts';
import { compileFilter } from './filter.ts';
import { Links } from './links.ts';
import { walk } from './walk.ts';

let above: string;
let source: string;
let opened: Source;
let links: Links;

beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'shardctl-links-'));
  source = join(above, 'source');
  writeTree(above, {
    secret: 'secret',
    beside: { file: 'beside' },
    source: { file: 'one', sub: { file: 'two', deep: { file: 'three' } } },
  });
  opened = openSource(toBytes(source), linuxCalls());
  links = new Links(opened);
});
afterEach(() => {
  opened.close();
  rmSync(above, { recursive: true, force: true });
});

/** Where a link with this target leads from `sub`, or why it stays. */
function led(target: string): string {
  symlinkSync(target, join(source, 'sub', 'link'));
  const found = links.follow(['', 'sub'], 'link');
  rmSync(join(source, 'sub', 'link'));
  return typeof found === 'string' ? found : `${found.kind === FILE ? 'file' : 'directory'} ${found.origin}`;
}

test('a link leads to a file or a directory inside the source, by whatever way stays inside', () => {
  assert.equal(led('file'), 'file sub/file');
  assert.equal(led('./deep/../deep//file'), 'file sub/deep/file');
  assert.equal(led('../file'), 'file file');
  assert.equal(led('deep/'), 'directory sub/deep');
  assert.equal(led(`${source}/sub/deep`), 'directory sub/deep');
  assert.equal(led(`/.//${source}/./sub/../file`), 'file file');
  symlinkSync('deep/file', join(source, 'sub', 'chain'));
  symlinkSync('../../sub', join(source, 'sub', 'deep', 'back'));
  assert.equal(led('chain'), 'file sub/deep/file');
  assert.equal(led('deep/back/deep/back/chain'), 'file sub/deep/file');
  symlinkSync(source, join(above, 'alias'));
  links = new Links({ ...opened, handle: { ...opened.handle, path: join(above, 'alias') } });
  assert.equal(led(`${above}/alias/file`), 'file file');
  assert.equal(led(`${source}/file`), 'file file');
});

test('no step of the way may be outside, not even one that comes back', () => {
  for (const target of ['/etc/passwd', '../../secret', '../../source/file', `${above}/secret`, `${source}/../secret`, '/', '../..', above])
    assert.equal(led(target), 'outside', target);
  assert.equal(led(`${source}-not/file`), 'outside');
  symlinkSync('../beside', join(source, 'out'));
  for (const target of ['../out', '../out/file', '../out/../file', '../out/../source/file']) assert.equal(led(target), 'outside', target);
  symlinkSync(above, join(source, 'absolute'));
  assert.equal(led('../absolute/source/file'), 'outside');
});

test('a link that leads to nothing, to no file or directory, or round in a circle stays one', () => {
  for (const target of [
    'none',
    'none/..',
    'file/',
    'file/.',
    'file/..',
    'file/none',
    `${source}/file/`,
    `${source}/file/.`,
    'x'.repeat(300),
  ])
    assert.equal(led(target), 'nowhere', target);
  symlinkSync('two', join(source, 'sub', 'one'));
  symlinkSync('one', join(source, 'sub', 'two'));
  for (const target of ['one', 'link', '.', '..', '../sub', source, `${source}/sub/`]) assert.equal(led(target), 'round', target);
});

test('the way to a directory goes through links as the walk did', () => {
  symlinkSync('../../sub', join(source, 'sub', 'deep', 'back'));
  symlinkSync('sub/deep', join(source, 'short'));
  assert.deepEqual(links.wayTo('short'), ['', 'sub/deep']);
  assert.deepEqual(links.wayTo('short/back'), ['', 'sub/deep', 'sub']);
  assert.deepEqual(links.wayTo('short/back/deep'), ['', 'sub/deep', 'sub', 'sub/deep']);
  assert.equal(links.wayTo('short/back/deep/back'), undefined);
  assert.deepEqual(links.wayTo('sub/deep'), ['', 'sub', 'sub/deep']);
  assert.equal(links.wayTo('sub/deep/back'), undefined);
  assert.equal(links.wayTo('none'), undefined);
  assert.equal(links.wayTo('file'), undefined);
  assert.deepEqual(links.wayTo(''), ['']);
});

test('links that lead through one another without end are refused', () => {
  for (let i = 0; i < 40; i++) {
    mkdirSync(join(source, `d${i}`));
    for (const name of ['a', 'b']) symlinkSync(`../d${i + 1}`, join(source, `d${i}`, name));
  }
  const { signal } = new AbortController();
  const options = { filter: compileFilter([]), links: new Links(opened, 1000), emit: () => {}, signal };
  let entered = 0;
  assert.throws(
    () => {
      for (const step of walk(opened, options)) if (step.kind === 'enter') entered++;
    },
    { code: 'USAGE', message: /more than 1000 entries/ },
  );
  assert.ok(entered < 2000);
});

test('the walk lists what links lead to under their own names, and says which stay links', () => {
  symlinkSync('deep', join(source, 'sub', 'to-deep'));
  symlinkSync('..', join(source, 'sub', 'up'));
  symlinkSync('../secret', join(source, 'secret'));
  symlinkSync('nothing', join(source, 'none'));
  symlinkSync('nothing', join(source, 'excluded'));
  writeFileSync(join(source, 'sub', 'deep', 'other'), 'other');
  const events: Event[] = [];
  const { signal } = new AbortController();
  const filter = compileFilter(['- /excluded', '- /sub/to-deep/file', '- up/']);
  const listed: string[] = [];
  for (const step of walk(opened, { filter, links, emit: (event) => void events.push(event), signal })) {
    if (step.kind !== 'enter') continue;
    const { directory } = step;
    for (const i of directory.live()) {
      const kind = directory.kinds[i] === FILE ? 'file' : directory.kinds[i] === DIRECTORY ? 'directory' : 'link';
      listed.push(`${kind} ${directory.path}/${directory.names[i]} at ${directory.originOf(i)}`);
    }
  }
  assert.deepEqual(listed, [
    'file /file at file',
    'link /none at none',
    'link /secret at secret',
    'directory /sub at sub',
    'directory sub/deep at sub/deep',
    'file sub/file at sub/file',
    'directory sub/to-deep at sub/deep',
    'link sub/up at sub/up',
    'file sub/deep/file at sub/deep/file',
    'file sub/deep/other at sub/deep/other',
    'file sub/to-deep/other at sub/deep/other',
  ]);
  assert.deepEqual(events, [
    { type: 'links-kept', counts: { outside: 1, nowhere: 1, round: 1 }, first: { outside: 'secret', nowhere: 'none', round: 'sub/up' } },
  ]);
});
