import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { RepositoryRecord } from '../core/model.ts';
import { noteDoubt } from './files/doubts.ts';
import { Index } from './index.ts';
import { removeRepositories, renameRepository } from './repositories.ts';

const ALL = ['entries', 'pending', 'doubts'];
const died = new Error('the run died');
const record = (name: string): RepositoryRecord => {
  const settings = { profile: 'unixfs-v1-2025', chunker: undefined, metadata: true, filters: [] };
  return { name, source: '/s', head: 0, ...settings };
};

let dir: string;
beforeEach(async () => {
  dir = join(mkdtempSync(join(tmpdir(), 'shardctl-repositories-')), 'index');
  const index = await Index.open(dir);
  await index.saveRepository(record('old'));
  for (const kind of ['entries', 'pending']) {
    mkdirSync(join(dir, kind, 'old'), { recursive: true });
    writeFileSync(join(dir, kind, 'old', '1'), kind);
  }
  noteDoubt(index.doubtOf('old'));
  await index.close();
});
afterEach(() => rmSync(join(dir, '..'), { recursive: true }));

/** Kinds of files that lie under a repository's name. */
function filesOf(name: string): string[] {
  return ALL.filter((kind) => existsSync(join(dir, kind, name)));
}

async function names(): Promise<string[]> {
  const index = await Index.open(dir);
  const found = index.repositories().map(({ name }) => name);
  await index.close();
  return found;
}

test('a renamed repository has its files under the new name, and the old name has none', async () => {
  const index = await Index.open(dir);
  const doubt = readFileSync(index.doubtOf('old'), 'utf8');
  await index.renameRepository('old', record('new'), []);
  assert.equal(readFileSync(index.doubtOf('new'), 'utf8'), doubt);
  await index.close();
  assert.deepEqual([await names(), filesOf('old'), filesOf('new')], [['new'], [], ALL]);
  assert.ok(!existsSync(join(dir, 'renaming.json')));
});

test('when a rename dies before its transaction, the next run that writes finds all under the old name', async () => {
  const dies = renameRepository(dir, 'old', record('new'), [], async () => {
    throw died;
  });
  await assert.rejects(dies, died);
  assert.ok(existsSync(join(dir, 'renaming.json')));
  assert.deepEqual([await names(), filesOf('old'), filesOf('new')], [['old'], ALL, []]);
  assert.ok(!existsSync(join(dir, 'renaming.json')));
});

test('when a rename dies after its transaction, with any of the files moved, the next run that writes moves the others', async () => {
  for (const moved of [[], ['entries'], ['entries', 'pending'], ALL]) {
    const index = await Index.open(dir);
    await index.saveRepository(record('old'));
    for (const kind of ALL) if (existsSync(join(dir, kind, 'new'))) renameSync(join(dir, kind, 'new'), join(dir, kind, 'old'));
    await index.renameRepository('old', record('new'), []);
    await index.close();
    // As it was when only these files were moved.
    for (const kind of ALL.filter((it) => !moved.includes(it))) renameSync(join(dir, kind, 'new'), join(dir, kind, 'old'));
    writeFileSync(join(dir, 'renaming.json'), JSON.stringify({ from: 'old', to: 'new' }));
    rmSync(join(dir, 'standing.json'));
    assert.deepEqual([await names(), filesOf('old'), filesOf('new')], [['new'], [], ALL], `${moved}`);
    assert.ok(!existsSync(join(dir, 'renaming.json')));
  }
});

test('when a removal dies before its transaction, the repository and its doubt are there', async () => {
  const dies = removeRepositories(dir, ['old'], async () => {
    throw died;
  });
  await assert.rejects(dies, died);
  assert.deepEqual([await names(), filesOf('old')], [['old'], ['doubts']]);
});

test('nothing is left of a removed repository, and everything of another', async () => {
  const index = await Index.open(dir);
  await index.saveRepository(record('other'));
  noteDoubt(index.doubtOf('other'));
  await index.removeRepositories(['old']);
  await index.close();
  assert.deepEqual([await names(), filesOf('old'), filesOf('other')], [['other'], [], ['doubts']]);
  assert.deepEqual(readdirSync(join(dir, 'doubts')), ['other']);
});
