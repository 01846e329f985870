import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

let shardctl: Program;
let source: string;
before(() => {
  shardctl = new Program();
  source = shardctl.path('source');
  mkdirSync(source);
  for (const name of ['d1', 'd2']) shardctl.succeeds('peers', 'add', 'local', name);
  for (let i = 0; i < 3; i++) {
    for (let k = 0; k < 4; k++) writeFileSync(join(source, `f${k}`), Buffer.alloc(30_000, k % 2 === 0 ? `${k}` : `${i} ${k}`));
    shardctl.succeeds('add', 'source', '--name', 'r', '--shard-size', '64KiB', '--replication', '2', '-q');
  }
});
after(() => shardctl.dispose());

const json = (...argv: string[]) => shardctl.succeeds(...argv, '--json').lines.map((line) => JSON.parse(line) as Record<string, unknown>);

test('forget wants either snapshots or rules, never forgets the head, and says why it keeps what it keeps', { skip: onlyInAll() }, () => {
  shardctl.fails(2, /which snapshots/, 'forget', 'r');
  shardctl.fails(2, /either/, 'forget', 'r', '1', '--keep-last', '1');
  shardctl.fails(2, /is the head/, 'forget', 'r', '3');
  shardctl.fails(2, /neither a number/, 'forget', 'r', '--keep-daily', 'x');
  shardctl.fails(2, /not a duration/, 'forget', 'r', '--keep-within', '7');
  shardctl.fails(2, /is a date, and snapshots are forgotten by their numbers/, 'forget', 'r', 'r@2030-01-01');
  shardctl.fails(40, /no repository/, 'forget', 'x', '1');
  const { lines } = shardctl.succeeds('forget', 'r', '--keep-last', '2', '-n');
  assert.match(lines[1] ?? '', /^keep +r@3 .* head, last$/);
  assert.match(lines[3] ?? '', /^remove +r@1 /);
  assert.equal(json('snapshots').filter(({ type }) => type === 'snapshot').length, 3);
});

test('forget takes rules for several repositories, or for all, each with its own history', { skip: onlyInAll() }, () => {
  const other = new Program();
  try {
    mkdirSync(other.path('a'));
    for (const name of ['a', 'b', 'c']) {
      for (const text of ['1', '2', '3']) {
        writeFileSync(other.path('a', 'file'), text);
        other.succeeds('add', 'a', '--name', name, '-q');
      }
    }
    const left = () => other.succeeds('snapshots').lines.flatMap((line) => /^[abc]@\d/.exec(line) ?? []);
    other.fails(2, /--all and a NAME do not go together/, 'forget', 'a', '--all', '--keep-last', '1');
    other.fails(2, /which repository/, 'forget', '--keep-last', '1');
    other.fails(2, /which snapshots/, 'forget', '--all');
    other.fails(40, /no repository "d"; there is a, b, c/, 'forget', 'a', 'd', '--keep-last', '1');
    assert.match(
      other.succeeds('forget', 'b', 'a', '--keep-last', '2', '-n').stdout,
      /^remove +a@1 [\s\S]*^remove +b@1 [\s\S]*^2 snapshots would be/m,
    );
    assert.equal(left().length, 9);
    other.succeeds('forget', 'b', 'a', '--keep-last', '2', '-q');
    assert.deepEqual(left(), ['a@2', 'a@3', 'b@2', 'b@3', 'c@1', 'c@2', 'c@3']);
    assert.match(other.succeeds('forget', '--all', '--keep-last', '1').stdout, /^4 snapshots forgotten/m);
    assert.deepEqual(left(), ['a@3', 'b@3', 'c@3']);
    assert.equal(other.succeeds('snapshots', 'c', 'a').lines.length, 3);
    other.succeeds('verify', 'a', 'c@3', '-q');
  } finally {
    other.dispose();
  }
});

test('a tag names its snapshot until it is taken away, moved, or forgotten with it, and --keep-tag keeps it', { skip: onlyInAll() }, () => {
  const other = new Program();
  try {
    mkdirSync(other.path('a'));
    for (const text of ['1', '2', '3', '4']) {
      writeFileSync(other.path('a', 'file'), text);
      other.succeeds('add', 'a', '-q');
    }
    const cat = (ref: string) => other.succeeds('cat', `${ref}/file`).stdout;
    assert.match(other.succeeds('tag', 'a@2', 'tested', 'v2').stdout, /^a@tested is a@2\na@v2 is a@2$/m);
    assert.equal(cat('a@tested'), '2');
    other.fails(2, /a@2 has the tag tested already; `shardctl tag a@3 tested --move` gives it to a@3/, 'tag', 'a@3', 'tested');
    other.succeeds('tag', 'a@3', 'tested', '--move', '-q');
    assert.equal(cat('a@tested'), '3');
    other.fails(40, /a has no tag v3/, 'tag', 'a', 'v3', '--remove');
    other.fails(2, /cannot be a tag/, 'tag', 'a', '2026-11-25');
    other.fails(2, /which tags/, 'tag', 'a', '--remove');
    // An update of the same repository leaves them.
    writeFileSync(other.path('a', 'file'), '5');
    other.succeeds('update', 'a', '-q');
    assert.deepEqual(other.succeeds('tag', 'a').lines, ['a@tested is a@3', 'a@v2 is a@2']);
    assert.match(other.succeeds('snapshots', 'a').lines[2] ?? '', / v2$/);
    assert.match(other.succeeds('forget', 'a', '--keep-tag', 'tested').stdout, /^keep +a@3 .* tag tested$/m);
    assert.deepEqual(other.succeeds('tag', 'a').lines, ['a@tested is a@3']);
    other.fails(40, /no snapshot a@v2/, 'cat', 'a@v2/file');
    other.succeeds('rename', 'a', 'b', '-q');
    assert.equal(cat('b@tested'), '3');
    other.succeeds('tag', 'b', 'tested', '--remove', '-q');
    assert.equal(other.succeeds('tag', 'b').stdout, '');
  } finally {
    other.dispose();
  }
});

test('prune -n says what prune then does; the head stays as it was', { skip: onlyInAll() }, () => {
  const root = shardctl.succeeds('status', '-Q').stdout;
  assert.match(shardctl.succeeds('forget', 'r', '1', 'r@2').stdout, /2 snapshots forgotten; .*shardctl prune/);
  shardctl.fails(2, /--max-unused/, 'prune', '--max-unused', '101%');
  const pruned = (...more: string[]) => json('prune', '--max-unused', '0', ...more).find(({ type }) => type === 'pruned');
  const planned = pruned('-n');
  const done = pruned();
  assert.ok((done?.removedShards as number) > 0);
  assert.deepEqual([done?.removedShards, done?.freedBytes], [planned?.removedShards, planned?.freedBytes]);
  assert.equal(shardctl.succeeds('status', '-Q').stdout, root);
  shardctl.succeeds('verify', '--read-data', '--replication', '2', '-q');
});

test('repair mends what verify finds, and says so', { skip: onlyInAll() }, () => {
  const shards = shardctl.path('d1', 'shards');
  const cars = (readdirSync(shards, { recursive: true }) as string[]).filter((name) => name.endsWith('.car'));
  rmSync(join(shards, cars[0] as string));
  assert.equal(shardctl.run('verify', '-q').code, 44);
  assert.match(shardctl.succeeds('repair', '-n').stdout, /to be mended: 1 replica/);
  const { stdout, stderr } = shardctl.succeeds('repair');
  assert.match(stdout, /mended: 1 replica/);
  assert.match(stderr, /^mended: .* on d1$/m);
  assert.equal(shardctl.succeeds('verify', '-q', '--replication', '2').stderr, '');
});

test('recover makes a lost home anew; where the source is has to be said once', { skip: onlyInAll() }, () => {
  const [snapshot] = readFileSync(join(shardctl.home, 'heads', 'r'), 'utf8').split('\n') as [string];
  const root = shardctl.succeeds('status', '-Q').stdout;
  rmSync(shardctl.home, { recursive: true });
  shardctl.fails(2, /--from/, 'recover', snapshot);
  shardctl.succeeds('recover', snapshot, '--from', 'd1', '--from', 'd2');
  shardctl.succeeds('verify', '--read-data', '--replication', '2', '-q');
  assert.equal(shardctl.succeeds('status', '-Q').stdout, root);
  shardctl.fails(40, /it was recovered.*not known any more.*`shardctl add \S+\/source --name r`/, 'update', 'r');
  assert.equal(shardctl.succeeds('add', 'source', '--name', 'r', '-Q').stdout, root);
  assert.equal(shardctl.succeeds('update', 'r', '-Q').stdout, root);
});
