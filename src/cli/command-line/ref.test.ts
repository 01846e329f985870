import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SnapshotRecord } from '../../core/model.ts';
import { resolveRef, type Snapshots } from './ref.ts';

function snapshot(repository: string, number: number): SnapshotRecord {
  const counts = { files: 1, directories: 1, symlinks: 0 };
  const cids = {
    cid: `bafysnapshot${repository}${number}`,
    tree: `bafytree${repository}`,
    catalogue: { cid: 'bafycatalogue', bytes: 1, blocks: 1, carBytes: 1, peers: [] },
  };
  return {
    repository,
    number,
    ...cids,
    parent: null,
    time: `2026-11-2${number}T12:00:00.000Z`,
    counts,
    bytes: 1,
    shards: [0],
    profile: '',
    metadata: true,
    tool: '',
  };
}

const repositories: Record<string, number[]> = { debian: [1, 2, 7], '007': [1], empty: [] };
const index: Snapshots = {
  repositories: () => Object.entries(repositories).map(([name, numbers]) => ({ name, head: numbers.at(-1) ?? 0, tags: { tested: 2 } })),
  snapshots: (name) => (repositories[name] ?? []).map((number) => snapshot(name, number)),
};

function found(text: string): [string, number, string] {
  const { snapshot, path } = resolveRef(text, index);
  return [snapshot.repository, snapshot.number, path];
}

test('a name is its newest snapshot, @N is that one, a CID is itself', () => {
  assert.deepEqual(found('debian'), ['debian', 7, '']);
  assert.deepEqual(found('debian@2'), ['debian', 2, '']);
  assert.deepEqual(found('007'), ['007', 1, '']);
  assert.deepEqual(found('bafysnapshotdebian2'), ['debian', 2, '']);
});

test('a date is the newest snapshot that is not younger, a day with all that was committed on it', () => {
  assert.deepEqual(found('debian@2026-11-22'), ['debian', 2, '']);
  assert.deepEqual(found('debian@20261122T115959Z/a'), ['debian', 1, 'a']);
  assert.deepEqual(found('debian@2026-11-22T12:00:00Z'), ['debian', 2, '']);
  assert.deepEqual(found('debian@2027-01-01'), ['debian', 7, '']);
});

test('a tag is the snapshot that has it', () => {
  assert.deepEqual(found('debian@tested/a'), ['debian', 2, 'a']);
});

test("a tree's root CID is the newest snapshot that has it", () => {
  assert.deepEqual(found('bafytreedebian/pool'), ['debian', 7, 'pool']);
});

test('what follows the first slash is a path, in bytes', () => {
  assert.deepEqual(found('debian/dists/stable/'), ['debian', 7, 'dists/stable']);
  assert.deepEqual(found('debian@1//a@2/b'), ['debian', 1, 'a@2/b']);
  assert.deepEqual(found('debian/\u00e9'), ['debian', 7, '\u00c3\u00a9']);
});

test('what is not there is named, with where to look', () => {
  const cases: [string, RegExp, RegExp][] = [
    ['fedora', /no repository or snapshot "fedora"/, /shardctl status/],
    ['debian@3', /no snapshot debian@3/, /shardctl snapshots debian/],
    ['debian@x', /no snapshot debian@x/, /shardctl snapshots debian.*2026-11-25/],
    ['debian@2026-11-31', /no snapshot debian@2026-11-31/, /shardctl snapshots debian/],
    [
      'debian@2026-11-20/a',
      /debian has no snapshot of 2026-11-20 or before: the oldest snapshot is debian@1 of 2026-11-21T12/,
      /shardctl snapshots debian/,
    ],
    ['empty', /repository empty has no snapshot yet/, /shardctl add/],
  ];
  for (const [text, message, hint] of cases)
    assert.throws(() => resolveRef(text, index), { code: 'NOT_FOUND', exitCode: 40, message, hint });
  assert.throws(() => resolveRef('/etc', index), { code: 'USAGE' });
});
