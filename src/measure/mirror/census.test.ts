import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { censusOf, whyNothingNew } from './census.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-census-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const never = new AbortController().signal;

test('entries of a name that is passed over are not counted, wherever they are', async () => {
  const mirror = join(dir, 'mirror');
  for (const folder of ['.kept', 'pool/.kept/below']) mkdirSync(join(mirror, folder), { recursive: true });
  for (const file of ['.kept/a', 'pool/.kept/below/b', 'pool/c', 'pool/d']) writeFileSync(join(mirror, file), 'four');
  const { files, bytes, hasPassedOver } = await censusOf(mirror, '.kept', never);
  assert.deepEqual({ files, bytes, hasPassedOver }, { files: 2, bytes: 8, hasPassedOver: true });
  const all = await censusOf(mirror, '.other', never);
  assert.deepEqual([all.files, all.hasPassedOver], [4, false]);
});

test('where no list of every program can say what is to be new, it is told why', async () => {
  const mirror = join(dir, 'lists');
  mkdirSync(mirror);
  writeFileSync(join(mirror, 'a b'), '');
  assert.match(whyNothingNew(await censusOf(mirror, '', never), mirror) ?? '', /^no file has a path/);
  writeFileSync(join(mirror, 'a'), '');
  assert.equal(whyNothingNew(await censusOf(mirror, '', never), mirror), undefined);
  assert.match(whyNothingNew(await censusOf(mirror, '', never), '/srv/a mirror') ?? '', /^the path of the mirror has letters/);
  rmSync(join(mirror, 'a b'));
  assert.equal(whyNothingNew(await censusOf(mirror, '', never), mirror), 'there is one file');
});
