/**
 * A home with as many shards as a test or a person asks for: one block in each, on local peers of layout `car` inside the home. Records, block
 * table and CARs are written by the program's own modules, but in batches, where a run flushes each by itself. What only a run that writes
 * needs is missing: entries, marks, heads.
 */
import { chmodSync, linkSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DAG_PB, DIGEST_BYTES, type PlacedShard, type RepositoryRecord, type ShardRecord, type SnapshotRecord } from '../core/model.ts';
import { removeTreeSync } from '../core/remove-file.ts';
import { cidText, sha256 } from '../dag/cid.ts';
import { DEFAULT_CONFIG } from '../home/config.ts';
import { saveConfig } from '../home/config-file.ts';
import { ensureHome, homePaths } from '../home/home.ts';
import { RECORD_BYTES } from '../index/blocks/records.ts';
import { beginSegment } from '../index/blocks/segment-files.ts';
import { Index } from '../index/index.ts';
import { LocalPeer } from '../peer/local/local.ts';
import { CAR_HEADER_BYTES, sectionHeaderBytes } from '../shard/car.ts';
import { TEST_OWNER } from './owner.ts';
import { makeShard } from './shards.ts';
import { carPath } from './stored-home.ts';

export const MANY_SHARDS = 'many';
/** Of each shard; there are two peers and more. */
const REPLICAS = 2;
/** Records in a transaction. */
const BATCH = 10_000;
/** The node of an empty directory: the only block of the snapshot's tree. */
const EMPTY_DIRECTORY = Buffer.from([0x0a, 0x02, 0x08, 0x01]);

/**
 * Makes the home, with one snapshot of the repository MANY_SHARDS that needs all shards.
 * @param dir absolute; nothing is there yet @param peers names, the shards in turns on two of them
 */
export async function makeManyShards(dir: string, shards: number, peers: readonly string[] = ['one', 'two']): Promise<void> {
  const home = homePaths(dir);
  ensureHome(home);
  chmodSync(dir, 0o700);
  for (const name of peers) await LocalPeer.create({ owner: TEST_OWNER, name, path: join(home.peers, name), layout: 'car' });
  const settings = peers.map((name) => ({ kind: 'local' as const, name, path: `peers/${name}`, layout: 'car' as const, tags: {} }));
  saveConfig(home, { ...DEFAULT_CONFIG, replication: { min: REPLICAS, max: REPLICAS }, peers: settings });
  mkdirSync(home.spool);
  const index = await Index.open(home.index);
  const digests = Buffer.alloc(shards * DIGEST_BYTES);
  const place = (block: Buffer, turn: number) => placed(dir, block, [peers[turn % peers.length], peers[(turn + 1) % peers.length]]);
  for (let from = 0; from < shards; from += BATCH) {
    const batch: ShardRecord[] = [];
    for (let number = from; number < Math.min(shards, from + BATCH); number++) {
      const block = number === 0 ? EMPTY_DIRECTORY : Buffer.from(`block of shard ${number}`);
      digests.set(sha256(block), number * DIGEST_BYTES);
      batch.push({ ...place(block, number), number, state: 'committed' });
    }
    await index.updateShards(batch);
  }
  const { dagSize: _, ...catalogue } = place(Buffer.from('catalogue'), 0);
  const numbers = Array.from({ length: shards }, (_, number) => number);
  await index.commit(repositoryOf(), snapshotOf(numbers, catalogue));
  await index.close();
  writeBlockTable(join(home.index, 'blocks'), digests);
  removeTreeSync(home.spool);
}

/** Puts a shard of this block on the peers. */
function placed(dir: string, block: Buffer, [first = '', second = '']: readonly (string | undefined)[]): PlacedShard & { dagSize: number } {
  const { cid, bytes, blocks, carBytes, carPath: made } = makeShard(homePaths(dir).spool, [block]);
  const path = carPath({ dir }, first, cid);
  const other = carPath({ dir }, second, cid);
  for (const folder of [dirname(path), dirname(other)]) mkdirSync(folder, { recursive: true });
  renameSync(made, path);
  linkSync(path, other);
  // The CAR is a header and two sections, of the block and of the manifest's only node, both short.
  const dagSize = carBytes - CAR_HEADER_BYTES - 2 * sectionHeaderBytes(block.length);
  return { cid, bytes, blocks, carBytes, dagSize, peers: [first, second] };
}

/** One segment, which a block table that has grown by and by is merged into, too. @param digests of the only block of each shard, by its number */
function writeBlockTable(dir: string, digests: Buffer): void {
  mkdirSync(dir);
  const writer = beginSegment(dir, 0);
  if (writer === undefined) throw new Error(`there is a block table in ${dir}`);
  const prefixes = new BigUint64Array(digests.length / DIGEST_BYTES);
  for (const number of prefixes.keys()) prefixes[number] = digests.readBigUInt64BE(number * DIGEST_BYTES);
  const order = Uint32Array.from(prefixes.keys()).sort((a, b) => Number((prefixes[a] as bigint) > (prefixes[b] as bigint)) || -1);
  const record = Buffer.alloc(RECORD_BYTES);
  for (const number of order) {
    digests.copy(record, 0, number * DIGEST_BYTES, number * DIGEST_BYTES + RECORD_BYTES - 4);
    record.writeUInt32LE(number, RECORD_BYTES - 4);
    writer.add(record, 0);
  }
  writer.finish();
}

function repositoryOf(): RepositoryRecord {
  return {
    name: MANY_SHARDS,
    source: '/nowhere',
    head: 1,
    profile: DEFAULT_CONFIG.profile,
    chunker: undefined,
    metadata: true,
    filters: [],
  };
}

function snapshotOf(shards: readonly number[], catalogue: PlacedShard): SnapshotRecord {
  const tree = cidText({ codec: DAG_PB, digest: sha256(EMPTY_DIRECTORY) }, 1);
  return {
    repository: MANY_SHARDS,
    number: 1,
    cid: tree,
    tree,
    parent: null,
    time: '2026-11-27T00:00:00Z',
    counts: { files: 0, directories: 1, symlinks: 0 },
    bytes: 0,
    shards,
    catalogue,
    profile: DEFAULT_CONFIG.profile,
    metadata: true,
    tool: 'shardctl test',
  };
}
