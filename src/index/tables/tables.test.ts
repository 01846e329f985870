import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { open } from 'lmdb';
import type { ShardRecord } from '../../core/model.ts';
import { Index } from '../index.ts';

test('where npm has left the binary of lmdb out, that is said, and not that the disk is bad', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-tables-'));
  t.after(() => rmSync(dir, { recursive: true }));
  t.mock.method(Module as unknown as { _load: () => unknown }, '_load', () => {
    throw new Error('No native build was found');
  });
  await assert.rejects(Index.open(dir), {
    code: 'IO',
    message: /^lmdb has no binary here.*\(No native build was found\)$/,
    hint: /install shardctl again/,
  });
});

test('where lmdb cannot be loaded because too many files are open, that is said, and nobody is told to install anything', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-tables-'));
  t.after(() => rmSync(dir, { recursive: true }));
  t.mock.method(Module as unknown as { _load: () => unknown }, '_load', () => {
    throw Object.assign(new Error("EMFILE: too many open files, open '/srv/lmdb.js'"), { code: 'EMFILE' });
  });
  await assert.rejects(Index.open(dir), { code: 'IO', message: /no more files open/, hint: /ulimit -n/ });
});

test('tables that have records and no format are damaged, and those without either belong to a run that is making them', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-tables-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const lose = async () => {
    const root = open({ path: join(dir, 'tables'), maxDbs: 8 });
    await root.openDB({ name: 'meta', encoding: 'json' }).remove('format');
    await root.close();
    rmSync(join(dir, 'standing.json'), { force: true });
  };
  await (await Index.open(dir)).close();
  await lose();
  await assert.rejects(Index.open(dir, { readOnly: true }), { code: 'NOT_FOUND', message: /^there is no index yet/ });

  const index = await Index.open(dir);
  const shard: ShardRecord = { number: 0, cid: 'cid', bytes: 1, blocks: 1, dagSize: 1, carBytes: 1, peers: ['a'], state: 'placed' };
  await index.updateShards([shard]);
  await index.close();
  await lose();
  for (const readOnly of [true, false])
    await assert.rejects(Index.open(dir, { readOnly }), { code: 'DAMAGE', message: /says? its format/, hint: /recover/ });
});

test('of a file that LMDB has not written to yet it is said that there is no index yet, and how it comes into being', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'shardctl-tables-'));
  t.after(() => rmSync(home, { recursive: true }));
  const dir = join(home, 'index');
  mkdirSync(join(dir, 'tables'), { recursive: true });
  writeFileSync(join(dir, 'tables', 'data.mdb'), '');
  await assert.rejects(Index.open(dir, { readOnly: true }), { code: 'NOT_FOUND', hint: /`shardctl add DIR` again/ });
  mkdirSync(join(home, 'heads'));
  writeFileSync(join(home, 'heads', 'm'), 'cid');
  await assert.rejects(Index.open(dir, { readOnly: true }), { code: 'NOT_FOUND', hint: /`shardctl recover --all`/ });
  await assert.rejects(Index.open(dir), { code: 'NOT_FOUND', hint: /`shardctl recover --all`/ });
  await (await Index.open(dir, { anew: true })).close();
});
