import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RepositoryRecord, SnapshotRecord } from '../core/model.ts';
import type { LocalPeerConfig } from './config.ts';
import { parseNote } from './note.ts';
import { type Noted, noteText } from './note-text.ts';

const record: RepositoryRecord = {
  name: 'debian',
  source: '/srv/gro\xdf',
  head: 7,
  profile: 'unixfs-v1-2025',
  chunker: undefined,
  metadata: true,
  filters: ['- *.tmp', '+ a'],
  replication: { min: 2, max: 3 },
  allocateBy: ['tag:zone', 'freespace'],
};
const peer: LocalPeerConfig = { kind: 'local', name: 'disk1', path: '/mnt/disk1', layout: 'car', tags: { zone: 'a' }, capacity: 5e11 };
const home = (repositories: readonly RepositoryRecord[]): Noted => ({
  repositories,
  snapshotsOf: () => [],
  lost: [],
  settings: { keep: 'daily=7' },
  settingsOf: () => ({ gate: 'off' }),
});

test('a note gives back what it was written from, names that are not UTF-8 included', () => {
  const note = parseNote(noteText(home([record]), peer, 0));
  const { head: _, chunker: __, ...rest } = record;
  assert.deepEqual(note?.repositories, [{ ...rest, settings: { gate: 'off' } }]);
  assert.deepEqual(note?.settings, { keep: 'daily=7' });
  assert.deepEqual(note?.peer, { name: 'disk1', tags: { zone: 'a' }, capacity: 5e11 });
  assert.equal(note?.at, '1970-01-01T00:00:00.000Z');
});

test('a note says nothing of where its home is, nor of other peers', () => {
  assert.doesNotMatch(noteText(home([record]), peer, 0), /mnt|layout|path/);
});

test('a note says nothing of hooks, which may hold passwords', () => {
  const hooked = { ...record, upkeep: { onCommit: 'tell --token secret' } };
  assert.doesNotMatch(noteText(home([hooked]), peer, 0), /secret|onCommit/);
});

test('what is no note, or asks for what no settings may ask for, is passed over', () => {
  const text = noteText(home([record]), peer, 0);
  for (const broken of ['', '{', '[]', text.replace('"format": 1', '"format": 9'), text.replace('"min": 2', '"min": 0'), text.slice(0, -9)])
    assert.equal(parseNote(broken), undefined, broken);
});

test('a setting that none can be costs a note nothing else, and a long one is none of these', () => {
  const keyrings = Array.from({ length: 200 }, (_, at) => `/usr/share/keyrings/of-the-archive-${at}.gpg`).join(',');
  const odd = { 'gate-keyring': keyrings, 'Not a name': 'x', keep: 'x'.repeat(1 << 20) };
  const note = parseNote(noteText({ ...home([record]), settings: odd, settingsOf: () => odd }, peer, 0));
  assert.deepEqual(note?.settings, { 'gate-keyring': keyrings });
  assert.deepEqual(note?.repositories[0]?.settings, { 'gate-keyring': keyrings });
  assert.equal(note?.repositories[0]?.source, record.source);
});

test('a note names the newest thousand snapshots that the gate holds back, and no others', () => {
  const snapshot = (number: number, outcome: 'held' | 'passed') =>
    ({ tree: `tree ${number}`, time: `time ${number}`, gate: { outcome, by: '', kinds: [], count: 2, contradictions: [] } }) as never;
  const held = Array.from({ length: 1100 }, (_, at) => snapshot(at, 'held') as SnapshotRecord);
  const note = parseNote(noteText({ ...home([record]), snapshotsOf: () => [...held, snapshot(2000, 'passed')] }, peer, 0));
  const noted = note?.repositories[0]?.heldBack ?? [];
  assert.equal(noted.length, 1000);
  assert.deepEqual([noted[0], noted.at(-1)?.tree], [{ tree: 'tree 100', time: 'time 100', count: 2 }, 'tree 1099']);
});

test('a note is none where its source could be read as an option, or a filter is no rule', () => {
  const noted = JSON.parse(noteText(home([record]), peer, 0)) as { repositories: object[] };
  for (const planted of [{ source: '--help' }, { source: 'here' }, { filters: ['*.tmp'] }, { filters: ['- '] }]) {
    const repositories = [{ ...noted.repositories[0], ...planted }];
    assert.equal(parseNote(JSON.stringify({ ...noted, repositories })), undefined);
  }
  assert.ok(parseNote(JSON.stringify({ ...noted, repositories: [{ ...noted.repositories[0], source: '' }] })));
});
