/**
 * docs/format.md is true and complete: a reader that was written by that page alone (src/testing/format-reader/, which imports no code of
 * the program) reads a home and its peers, and restores the tree.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { onlyInAll } from '../testing/depth.ts';
import * as dag from '../testing/format-reader/dag.ts';
import { checkedJson, readBlocks, readEntries, readPending } from '../testing/format-reader/files.ts';
import { TablesFile } from '../testing/format-reader/tables.ts';
import { Program } from '../testing/program.ts';

interface ShardRecord {
  readonly number: number;
  readonly cid: string;
  readonly bytes: number;
  readonly blocks: number;
  readonly carBytes: number;
  readonly state: string;
}

interface SnapshotRecord {
  readonly number: number;
  readonly cid: string;
  readonly tree: string;
  readonly shards: readonly number[];
  readonly catalogue: { readonly cid: string };
}

let program: Program;
let source: string;
before(() => {
  program = new Program();
  source = program.path('tree');
  makeTree(source);
  program.succeeds('peers', 'add', 'local', program.path('cars'), '--name', 'cars');
  program.succeeds('peers', 'add', 'local', program.path('blocks'), '--name', 'blocks', '--layout', 'blockstore');
  program.succeeds('add', source, '--name', 'tree', '--replication', '2', '--shard-size', '512KiB');
  writeFileSync(join(source, 'small', 'new'), 'new');
  program.succeeds('update', 'tree', '-q');
});
after(() => program.dispose());

/** A file of several chunks, a HAMT directory, names that are no UTF-8 or not ASCII, an empty directory. */
function makeTree(root: string): void {
  for (const dir of ['small', 'empty', 'wide', 'small/deep/er']) mkdirSync(join(root, dir), { recursive: true });
  writeFileSync(join(root, 'large'), Buffer.alloc(2_500_000, 'no two chunks of this are the same, as 47 bytes are no power of two'));
  writeFileSync(join(root, 'small', 'naïve'), 'a');
  if (process.platform === 'linux') writeFileSync(Buffer.from(`${root}/small/\xff`, 'latin1'), 'b');
  writeFileSync(join(root, 'small', 'deep', 'er', 'file'), '');
  symlinkSync('../large', join(root, 'small', 'link'));
  for (let i = 0; i < 950; i++) writeFileSync(join(root, 'wide', `${i}-${'x'.repeat(240)}`), `${i % 100}`);
  utimesSync(join(root, 'large'), 1_700_000_000.25, 1_700_000_000.25);
}

/** The tree as it is, in the words of `treeLines`. */
function* sourceLines(path: Buffer | string, name = ''): Generator<string> {
  const stat = lstatSync(path, { bigint: true });
  const mode = (stat.mode & 0o7777n).toString(8);
  if (stat.isSymbolicLink()) yield `l ${name} ${readlinkSync(path, 'latin1')} ${stat.mtimeNs}`;
  else if (stat.isFile()) yield `f ${name} ${dag.sha256(readFileSync(path))} ${mode} ${stat.mtimeNs}`;
  else {
    yield `d ${name} ${mode} ${stat.mtimeNs}`;
    for (const child of readdirSync(path, 'buffer')) {
      const text = child.toString('latin1');
      yield* sourceLines(Buffer.concat([Buffer.from(path), Buffer.from('/'), child]), name === '' ? text : `${name}/${text}`);
    }
  }
}

/** Every CAR of the peer with layout `car`, by the CID that its name says. */
function carsOf(peer: string): Map<string, Buffer> {
  const cars = readdirSync(join(peer, 'shards')).flatMap((folder) =>
    readdirSync(join(peer, 'shards', folder)).map((file): [string, Buffer] => {
      const cid = file.replace(/\.car$/, '');
      assert.equal(folder, cid.slice(-3, -1));
      return [cid, readFileSync(join(peer, 'shards', folder, file))];
    }),
  );
  return new Map(cars);
}

function blocksOf(peer: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const folder of readdirSync(join(peer, 'blocks'))) {
    for (const file of readdirSync(join(peer, 'blocks', folder))) {
      const data = readFileSync(join(peer, 'blocks', folder, file));
      const digest = dag.sha256(data);
      const name = dag.multihashName(digest);
      assert.deepEqual([folder, file], [name.slice(-2), `${name}.data`]);
      found.set(digest, data);
    }
  }
  return found;
}

function loader(blocks: ReadonlyMap<string, Buffer>): dag.LoadBlock {
  return (digest) => {
    const block = blocks.get(digest);
    assert.ok(block !== undefined, digest);
    return block;
  };
}

/** Restores by the snapshot's CID alone, from the shards that it names. */
function restored(snapshot: string, load: dag.LoadBlock): string[] {
  const links = new Map(dag.node(load(dag.digestOf(snapshot))).links.map((link) => [link.name.toString(), link]));
  assert.deepEqual([...links.keys()], ['shards', 'snapshot.json', 'tree']);
  const [shards, json, tree] = [links.get('shards'), links.get('snapshot.json'), links.get('tree')];
  assert.ok(shards !== undefined && json !== undefined && tree !== undefined);
  const file = JSON.parse(load(json.digest).toString()) as { format: number };
  assert.equal(file.format, 1);
  const named = new Map<string, Buffer>([[tree.digest, load(tree.digest)]]);
  for (const shard of dag.entriesOf(dag.node(load(shards.digest)), load)) {
    assert.match(shard.name.toString(), /^\d{8,10}$/);
    for (const [digest, bytes] of dag.manifest(shard.digest, load)) {
      named.set(digest, load(digest));
      assert.equal(load(digest).length, bytes);
    }
  }
  return [...dag.treeLines(tree, loader(named))].sort();
}

test('a tree comes back from the CARs of a local peer', () => {
  const blocks = new Map<string, Buffer>();
  for (const [cid, car] of carsOf(program.path('cars'))) {
    const { root, sections } = dag.readCar(car);
    assert.equal(dag.cidText(0x70, root), cid);
    for (const { digest, data } of sections) blocks.set(digest, data);
    const leaves = sections.filter(({ codec }) => codec === 0x55);
    const listed = dag.manifest(root, loader(blocks));
    assert.deepEqual(
      listed,
      leaves.map(({ digest, data }) => [digest, data.length]),
    );
    assert.equal(sections.at(-1)?.digest, root);
  }
  const head = readFileSync(join(program.home, 'heads', 'tree'), 'utf8').trimEnd();
  assert.deepEqual(restored(head, loader(blocks)), [...sourceLines(source)].sort());
});

test('and without metadata, from CIDs of version 0 and leaves in dag-pb', (t) => {
  const other = new Program();
  t.after(() => other.dispose());
  other.succeeds('add', source, '--name', 'old', '--cid-profile', 'unixfs-v0-2015', '--no-metadata', '-q');
  const blocks = new Map<string, Buffer>();
  for (const car of carsOf(join(other.home, 'peers', 'local')).values()) {
    for (const { digest, data } of dag.readCar(car).sections) blocks.set(digest, data);
  }
  const head = readFileSync(join(other.home, 'heads', 'old'), 'utf8').trimEnd();
  const withoutStat = (line: string) => line.replace(line.startsWith('l') ? / \S+$/ : / \S+ \S+$/, '');
  assert.deepEqual(restored(head, loader(blocks)).map(withoutStat), [...sourceLines(source)].map(withoutStat).sort());
});

test('and from the blocks of one with layout blockstore', () => {
  const load = loader(blocksOf(program.path('blocks')));
  const head = readFileSync(join(program.home, 'heads', 'tree'), 'utf8').trimEnd();
  assert.deepEqual(restored(head, load), [...sourceLines(source)].sort());
  for (const cid of readdirSync(program.path('blocks', 'pins'))) {
    const pin = JSON.parse(readFileSync(program.path('blocks', 'pins', cid), 'utf8')) as { blocks: number };
    assert.equal(dag.manifest(dag.digestOf(cid), load).length, pin.blocks);
  }
});

test('the tables say which shards there are, and the block table lists each block of them', () => {
  const tables = new TablesFile(join(program.home, 'index', 'tables', 'data.mdb'));
  const [repository] = tables.records<{ name: string; source: string; head: number }>('repositories');
  assert.deepEqual([repository?.name, repository?.source, repository?.head], ['tree', source, 2]);
  const snapshots = tables.records<SnapshotRecord>('snapshots');
  assert.deepEqual(
    snapshots.map(({ number }) => number),
    [1, 2],
  );
  const shards = tables.records<ShardRecord>('shards');
  const cars = carsOf(program.path('cars'));
  assert.deepEqual([...cars.keys()].sort(), [...shards, ...snapshots.map(({ catalogue }) => catalogue)].map(({ cid }) => cid).sort());

  const folder = join(program.home, 'index', 'blocks');
  const listed = new Set(readdirSync(folder).flatMap((file) => readBlocks(join(folder, file)).map((record) => record.join(' '))));
  for (const { number, cid, bytes, blocks, carBytes, state } of shards) {
    const car = cars.get(cid) ?? Buffer.alloc(0);
    const leaves = dag.readCar(car).sections.filter(({ codec }) => codec === 0x55);
    assert.equal(state, snapshots.some((snapshot) => snapshot.shards.includes(number)) ? 'committed' : 'placed');
    assert.deepEqual([leaves.length, car.length, leaves.reduce((sum, { data }) => sum + data.length, 0)], [blocks, carBytes, bytes]);
    for (const { digest } of leaves) assert.ok(listed.has(`${digest.slice(0, 40)} ${number}`));
  }
});

test('the entries are the source as it was, and the CIDs of its tree', () => {
  const entries = readEntries(join(program.home, 'index', 'entries', 'tree', '2'));
  const lines = [...sourceLines(source)].filter((line) => !line.startsWith('d  '));
  assert.equal(entries.length, lines.length);
  for (const { path, mode, mtimeNs, kind, codec, digest, dagSize } of entries) {
    const letter = ['', 'f', 'd', 'l'][kind] ?? '';
    const line = lines.find((one) => one.startsWith(`${letter} ${path} `)) ?? '';
    assert.ok(line.endsWith(letter === 'l' ? ` ${mtimeNs}` : ` ${mode.toString(8)} ${mtimeNs}`), `${path}: ${line}`);
    assert.ok(codec === 0x70 && dagSize > 0 && digest.length === 64);
  }
});

test('the small files have the checksums that the page says', () => {
  const { home } = program;
  const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex');
  const heads = checkedJson<{ format: number; snapshots: SnapshotRecord[] }>(
    join(home, 'index', 'standing.json'),
    (text) => `${crc32(text)}`,
  );
  assert.deepEqual([heads.format, heads.snapshots.map(({ number }) => number)], [2, [2]]);
  const checked = checkedJson<{ of: string }>(join(home, 'config.checked.json'), sha256Hex);
  assert.equal(checked.of, sha256Hex(readFileSync(join(home, 'config.json'), 'utf8')));

  const { id, host, path, inode, marked, isFormer, check } = JSON.parse(readFileSync(join(home, 'home.json'), 'utf8')) as Record<
    string,
    string
  >;
  assert.equal(check, sha256Hex(JSON.stringify([id, host, path, inode, marked, '', isFormer])).slice(0, 16));
  const cars = program.path('cars');
  const { check: ofPeer, ...peer } = JSON.parse(readFileSync(join(cars, 'peer.json'), 'utf8')) as Record<string, unknown>;
  assert.equal(ofPeer, crc32(JSON.stringify(peer)));
  assert.deepEqual(readdirSync(join(cars, 'owners', `${id}`)).sort(), [...carsOf(cars).keys()].sort());
  const note = JSON.parse(readFileSync(join(cars, 'owners', `${id}.note`), 'utf8')) as { format: number; peer: { name: string } };
  assert.deepEqual([note.format, note.peer.name], [1, 'cars']);
});

test('what a run imported before it was killed is in its pending file', { skip: onlyInAll() }, (t) => {
  // Each kill hits a home of its own: one that was killed before would resume, have fewer writes to do, and might come through.
  const killed = (nth: number): string => {
    const other = new Program();
    t.after(() => other.dispose());
    const { code } = other.runWithFault(`kill:${nth}`, 'add', source, '--name', 'tree', '--shard-size', '64KiB');
    assert.notEqual(code, 0, `the run came through before write ${nth}`);
    return join(other.home, 'index', 'pending', 'tree', '1.pending');
  };
  let pending = '';
  for (let nth = 30; !hasShards(pending); nth += 6) pending = killed(nth);
  const { header, rows, shards } = readPending(pending);
  assert.deepEqual([header.version, header.source], [1, source]);
  assert.ok(rows.length > 0 && shards.length > 0);
  const digests = new Map(readEntries(join(program.home, 'index', 'entries', 'tree', '2')).map(({ path, digest }) => [path, digest]));
  for (const [path, digest] of rows) assert.equal(digest, digests.get(path), path);
});

function hasShards(pending: string): boolean {
  // Its header is written with the first that it notes.
  return existsSync(pending) && statSync(pending).size > 0 && readPending(pending).shards.length > 0;
}
