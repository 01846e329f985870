/** What LMDB would die of is refused, with the way out; what it can read is not. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { open } from 'lmdb';
import type { ShardRecord, SnapshotRecord } from '../../core/model.ts';
import { Index } from '../index.ts';

const PAGE = 4096;
const SHARDS = 300;

let dir: string;
/** An index whose tables have several levels, free pages, and records on pages of their own. */
let template: string;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-tables-'));
  template = join(dir, 'template');
  const index = await Index.open(template);
  const sizes = { bytes: 1, blocks: 1, dagSize: 1, carBytes: 1 };
  for (let number = 0; number < SHARDS; number++) {
    const shard: ShardRecord = { number, cid: `${number}`.padEnd(59, 'x'), ...sizes, state: 'placed', peers: ['one', 'two'] };
    await index.updateShards([shard]);
  }
  const snapshot: SnapshotRecord = {
    repository: 'r',
    number: 1,
    cid: 'snapshot',
    tree: 'tree',
    parent: null,
    time: '2026-01-01T00:00:00.000Z',
    counts: { files: 1, directories: 1, symlinks: 0 },
    bytes: 1,
    shards: Array.from({ length: 2000 }, (_, i) => i),
    catalogue: { cid: 'catalogue', ...sizes, peers: ['one'] },
    profile: 'unixfs-v1-2025',
    metadata: true,
    tool: 'shardctl test',
  };
  const repository = { name: 'r', source: '/r', head: 1, profile: 'unixfs-v1-2025', chunker: undefined, metadata: true, filters: [] };
  await index.commit(repository, snapshot);
  index.relist(0, Buffer.alloc(32, 1));
  await index.close();
});
after(() => rmSync(dir, { recursive: true, force: true }));

async function openDamaged(damage: (path: string) => void): Promise<number> {
  const copy = mkdtempSync(join(dir, 'copy-'));
  cpSync(template, copy, { recursive: true });
  damage(join(copy, 'tables', 'data.mdb'));
  const index = await Index.open(copy);
  try {
    return [...index.shards()].length;
  } finally {
    await index.close();
  }
}

const REFUSED = { code: 'DAMAGE', message: /the index is damaged: .*data\.mdb /, hint: /shardctl recover NAME/ };

test('a whole file is opened', async () => {
  assert.equal(await openDamaged(() => {}), SHARDS);
});

test('a file that is cut anywhere is refused', async () => {
  const pages = readFileSync(join(template, 'tables', 'data.mdb')).length / PAGE;
  for (let page = 0; page < pages; page += 3) {
    for (const more of [0, 1000])
      await assert.rejects(
        openDamaged((path) => truncateSync(path, page * PAGE + more)),
        REFUSED,
      );
  }
});

test('a file that is something else, in whole or in its beginning, is refused', async () => {
  await assert.rejects(
    openDamaged((path) => writeFileSync(path, 'text')),
    REFUSED,
  );
  await assert.rejects(
    openDamaged((path) => writeFileSync(path, Buffer.alloc(20 * PAGE, 'x'))),
    REFUSED,
  );
  for (const page of [0, 1])
    await assert.rejects(
      openDamaged((path) => overwrite(path, page)),
      REFUSED,
    );
});

test('an overwritten page is refused or is one that nothing leads to', async () => {
  const pages = readFileSync(join(template, 'tables', 'data.mdb')).length / PAGE;
  let refused = 0;
  for (let page = 2; page < pages; page++) {
    try {
      await openDamaged((path) => overwrite(path, page));
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, 'DAMAGE');
      refused++;
    }
  }
  assert.ok(refused > 20, `${refused} of ${pages}`);
});

test('an empty file of tables is a first run that died, and is begun anew; it is refused once the index has blocks', async () => {
  const fresh = join(dir, 'fresh');
  await (await Index.open(fresh)).close();
  truncateSync(join(fresh, 'tables', 'data.mdb'), 0);
  // Written by a run that has made the tables.
  rmSync(join(fresh, 'standing.json'));
  const anew = await Index.open(fresh);
  assert.deepEqual([anew.repositories(), [...anew.shards()], anew.nextShardNumber()], [[], [], 0]);
  anew.relist(0, Buffer.alloc(32, 1));
  await anew.close();
  assert.ok(readFileSync(join(fresh, 'tables', 'data.mdb')).length > 0);
  truncateSync(join(fresh, 'tables', 'data.mdb'), 0);
  await assert.rejects(Index.open(fresh, { checkBlocks: true }), { ...REFUSED, message: /is empty/ });
});

function overwrite(path: string, page: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, page * PAGE, (page + 1) * PAGE);
  writeFileSync(path, bytes);
}

test('a flipped bit in any record is refused, not believed', async () => {
  const bytes = readFileSync(join(template, 'tables', 'data.mdb'));
  // Of each of the last shards, what its record says besides its checksum; older versions of it stand on pages that are free.
  for (const number of [SHARDS - 1, SHARDS - 2]) {
    const places: number[] = [];
    const text = `"number":${number},`;
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at);
    assert.ok(places.length > 0);
    const read = openDamaged((path) => {
      const damaged = Buffer.from(bytes);
      for (const at of places) damaged[at + 10] = (damaged[at + 10] as number) ^ 1;
      writeFileSync(path, damaged);
    });
    await assert.rejects(read, { ...REFUSED, message: /data\.mdb holds a record with a wrong checksum/ });
  }
});

test('a snapshot under a key that is not its own is refused: nobody would see it, and prune would free its shards', async () => {
  const copy = mkdtempSync(join(dir, 'copy-'));
  cpSync(template, copy, { recursive: true });
  const root = open({ path: join(copy, 'tables'), maxDbs: 8 });
  const snapshots = root.openDB<Buffer, [string, number]>({ name: 'snapshots', encoding: 'binary' });
  await snapshots.put(['q', 1], snapshots.get(['r', 1]) as Buffer);
  await snapshots.remove(['r', 1]);
  await root.close();
  rmSync(join(copy, 'standing.json'));
  await assert.rejects(Index.open(copy, { readOnly: true }), { ...REFUSED, message: /snapshot 1 of r under a damaged key/ });
});
