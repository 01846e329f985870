/**
 * For tests: snapshots that a stranger wrote in bad faith. Each block has the hash that its CID says; what it says is not true, or leads
 * astray. Whoever reads one stops with an error, within bounds of time and memory, and writes nothing that is not in the tree's honest part.
 */
import type { CID } from 'multiformats/cid';
import { DAG_PB } from '../core/model.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { snapshotFile } from '../snapshot/snapshot.ts';
import { ForeignCar, type ForeignLink, foreignCid, foreignNode, foreignUnixFs, SHA2_256, TYPE } from './foreign-car.ts';
import type { BlockLookUp } from './hostile-gateway-truth.ts';

export interface HostileSnapshot {
  readonly name: string;
  /** CID of the snapshot. */
  readonly cid: string;
  readonly blocks: BlockLookUp;
}

const MIB = 1024 * 1024;
const LINKS = 1024;
const MANY = 1e9;

const JSON_FILE = snapshotFile({
  repository: 'hostile',
  time: '2026-01-01T00:00:00.000Z',
  parent: null,
  profile: profileOf('unixfs-v1-2025').name,
  metadata: true,
  counts: { files: 1, directories: 1, symlinks: 0 },
  bytes: 6,
  tool: 'stranger 1.0',
});

/** What is not given is honest: a tree with the file `hello`, a shard with all blocks that the tree has by then, a true `snapshot.json`. */
interface Parts {
  readonly tree?: CID;
  readonly shards?: readonly ForeignLink[] | CID;
  readonly json?: string | Buffer | CID;
}

type Forge = (car: ForeignCar) => Parts;

const BY_NAME: Readonly<Record<string, Forge>> = {
  'a snapshot.json that is not JSON': () => ({ json: 'hello' }),
  'a snapshot.json of brackets alone': () => ({ json: '['.repeat(MIB) }),
  'a snapshot.json that is null': () => ({ json: 'null' }),
  'a snapshot.json of a newer format': () => ({ json: JSON.stringify({ ...JSON_FILE, format: 2 }) }),
  'a snapshot.json with counts below zero': () => ({
    json: JSON.stringify({ ...JSON_FILE, counts: { files: -1, directories: 1, symlinks: 0 } }),
  }),
  'a snapshot.json with a repository that leads out': () => ({ json: JSON.stringify({ ...JSON_FILE, repository: '../../out' }) }),
  'a snapshot.json that is a directory': (car) => ({ json: car.directory({}) }),
  'a shard whose name is no number': (car) => ({ shards: [{ name: 'first', cid: shardOf(car) }] }),
  'a shard whose number is below zero': (car) => ({ shards: [{ name: '-0000001', cid: shardOf(car) }] }),
  'a shard whose number is 10^9 times too large': (car) => ({ shards: [{ name: '9999999999', cid: shardOf(car) }] }),
  'a shard whose name leads out': (car) => ({ shards: [{ name: '../00000001', cid: shardOf(car) }] }),
  'a shard that is a leaf': (car) => ({ shards: [{ name: '00000000', cid: car.raw('a leaf') }] }),
  'a shard that is a directory': (car) => ({ shards: [{ name: '00000000', cid: car.directory({ hello: hello(car) }) }] }),
  'a shard that is the snapshot’s tree': (car) => ({ shards: [{ name: '00000000', cid: treeOf(car) }] }),
  'a shard that nobody has': () => ({ shards: [{ name: '00000000', cid: absent('shard'), size: 100 }] }),
  'shards that are a file': (car) => ({ shards: car.file([[car.raw('x'), 1]]) }),
  'shards whose HAMT is itself without an end': (car) => ({ shards: hamtBomb(car) }),
  'a manifest of 10^9 blocks that nobody has': (car) => ({
    shards: oneShard(nodeOf(car, absents('node', LINKS, DAG_PB), Math.ceil(MANY / LINKS))),
  }),
  'a manifest of one node, a thousand times': (car) => {
    const [leaf] = [car.raw('leaf of many')];
    const below = nodeOf(car, Array(LINKS).fill(leaf), 12);
    return { shards: oneShard(nodeOf(car, Array(LINKS).fill(below), 12 * LINKS)) };
  },
  'a manifest that doubles sixty times': (car) => {
    let node = car.raw('the only leaf');
    for (let level = 0; level < 60; level++) node = nodeOf(car, [node, node], 13 * 2 ** Math.min(level, 40));
    return { shards: oneShard(node) };
  },
  'a manifest that is deep and thin': (car) => {
    let node = car.raw('the only leaf');
    for (let level = 0; level < 500; level++) node = nodeOf(car, [node], 13);
    return { shards: oneShard(node) };
  },
  'a manifest with blocks of 10^15 bytes': (car) => ({ shards: oneShard(nodeOf(car, [hello(car)], 1e15)) }),
  'a manifest with blocks that are shorter than it says': (car) => ({ shards: oneShard(nodeOf(car, leavesOf(car), 100)) }),
  'a manifest with blocks that are longer than it says': (car) => ({ shards: oneShard(nodeOf(car, leavesOf(car), 1)) }),
  'a manifest with a block of 3 MiB': (car) => ({ shards: oneShard(nodeOf(car, [car.raw(Buffer.alloc(3 * MIB))], 3 * MIB)) }),
  'a manifest node of 3 MiB': (car) => {
    const bytes = foreignNode(
      [{ cid: hello(car) }],
      foreignUnixFs({ type: TYPE.file, filesize: 6, blocksizes: [6], data: Buffer.alloc(3 * MIB) }),
    );
    return { shards: oneShard(car.put(bytes)) };
  },
  '4,000 shards that nobody has': () => {
    const links = absents('shard', 4000, DAG_PB).map((cid, i) => ({ name: String(i).padStart(8, '0'), cid, size: 128 * MIB }));
    return { shards: links };
  },
  'a tree that no shard has': (car) => ({ shards: oneShard(nodeOf(car, [car.raw('something else')], 14)) }),
  'a tree that nobody has': (car) => ({ tree: absent('tree'), shards: oneShard(nodeOf(car, [car.raw('something else')], 14)) }),
  'a tree that is a file': (car) => ({ tree: hello(car) }),
  'a name that leads up': (car) => ({ tree: car.directory({ '..': hello(car) }) }),
  'a name that is its directory': (car) => ({ tree: car.directory({ '.': hello(car) }) }),
  'a name that is empty': (car) => ({ tree: car.directory({ '': hello(car) }) }),
  'a name with a slash': (car) => ({ tree: car.directory({ 'a/../../../out': hello(car) }) }),
  'a name that is absolute': (car) => ({ tree: car.directory({ '/tmp/out': hello(car) }) }),
  'a name with a NUL': (car) => ({ tree: car.directory({ 'a\0b': hello(car) }) }),
  'a name of 1,000 bytes': (car) => ({ tree: car.directory({ ['x'.repeat(1000)]: hello(car) }) }),
  'a name twice': (car) => ({
    tree: car.directory([
      { name: 'a', cid: hello(car) },
      { name: 'a', cid: car.raw('other') },
    ]),
  }),
  'a symlink, and a directory of the same name': (car) => {
    const inner = car.directory({ escaped: hello(car) });
    return {
      tree: car.directory([
        { name: 'a', cid: car.symlink('..') },
        { name: 'a', cid: inner },
      ]),
    };
  },
  'the place where fetch keeps its own files': (car) => ({
    tree: car.directory({ '.shardctl-fetch': car.directory({ escaped: hello(car) }) }),
  }),
  'directories that double sixty times': (car) => {
    let node = car.directory({ hello: hello(car) });
    for (let level = 0; level < 60; level++) node = car.directory({ a: node, b: node });
    return { tree: node };
  },
  'directories that are deep and thin': (car) => {
    let node = car.directory({ hello: hello(car) });
    for (let level = 0; level < 10_000; level++) node = car.directory({ a: node });
    return { tree: node };
  },
  'a file of 2^50 bytes out of one leaf': (car) => {
    const leaf = car.raw(Buffer.alloc(MIB));
    let [node, bytes] = [leaf, MIB];
    for (let level = 0; level < 3; level++, bytes *= LINKS) node = car.file(Array(LINKS).fill([node, bytes]));
    return { tree: car.directory({ large: node }) };
  },
  'a file that is shorter than it says': (car) => ({ tree: car.directory({ short: car.file([[hello(car), 1e12]]) }) }),
  'a file that is longer than it says': (car) => ({ tree: car.directory({ long: car.file([[hello(car), 1]]) }) }),
  'a file with a leaf that nobody has': (car) => ({ tree: car.directory({ holed: car.file([[absent('leaf'), 6]]) }) }),
  'a HAMT directory that is itself without an end': (car) => ({ tree: hamtBomb(car) }),
  'an entry of a type that no tree has': (car) => ({
    tree: car.directory({ meta: car.put(foreignNode([], foreignUnixFs({ type: TYPE.metadata }))) }),
  }),
  'an entry that is no UnixFS': (car) => ({ tree: car.directory({ odd: car.put(Buffer.from('no dag-pb at all')) }) }),
};

/** All of them, made anew. */
export function* hostileSnapshots(): Generator<HostileSnapshot> {
  for (const [name, forge] of Object.entries(BY_NAME)) yield forged(name, forge);
}

/** The same snapshot without malice: the file `hello` in a tree. */
export function honestSnapshot(): HostileSnapshot {
  return forged('nothing wrong', () => ({}));
}

function forged(name: string, forge: Forge): HostileSnapshot {
  const car = new ForeignCar();
  const parts = forge(car);
  const tree = parts.tree ?? treeOf(car);
  const { shards = oneShard(shardOf(car)), json = JSON.stringify(JSON_FILE) } = parts;
  const jsonCid = typeof json === 'string' || Buffer.isBuffer(json) ? car.raw(json) : json;
  const shardsCid = isLinks(shards) ? car.directory(shards) : shards;
  const root = car.directory([
    { name: 'shards', cid: shardsCid, size: 1000 },
    { name: 'snapshot.json', cid: jsonCid, size: 300 },
    { name: 'tree', cid: tree, size: 1000 },
  ]);
  const blocks = new Map(car.blocks.map(({ cid, bytes }) => [hex(cid.multihash.digest), bytes]));
  return { name, cid: root.toString(), blocks: (digest) => blocks.get(hex(digest)) };
}

function hello(car: ForeignCar): CID {
  return car.raw('hello\n');
}

function treeOf(car: ForeignCar): CID {
  return car.directory({ hello: hello(car) });
}

/** A shard of all blocks so far, as shardctl makes it. */
function shardOf(car: ForeignCar): CID {
  treeOf(car);
  const leaves = car.blocks.map(({ bytes }) => [car.raw(bytes), bytes.length] as const);
  return car.file(leaves);
}

function leavesOf(car: ForeignCar): CID[] {
  treeOf(car);
  return car.blocks.map(({ bytes }) => car.raw(bytes));
}

function oneShard(cid: CID): ForeignLink[] {
  return [{ name: '00000000', cid, size: 1000 }];
}

/** A node of a manifest. @param bytes that each link is said to have */
function nodeOf(car: ForeignCar, links: readonly CID[], bytes: number): CID {
  return car.file(links.map((cid) => [cid, bytes] as const));
}

function hamtBomb(car: ForeignCar): CID {
  const links = (cid: CID): ForeignLink[] =>
    Array.from({ length: 256 }, (_, i) => ({ name: i.toString(16).toUpperCase().padStart(2, '0'), cid }));
  let node = car.directory({ hello: hello(car) });
  for (let level = 0; level < 60; level++)
    node = car.put(foreignNode(links(node), foreignUnixFs({ type: TYPE.hamt, data: Buffer.alloc(32, 0xff), fanout: 256 })));
  return node;
}

function absent(what: string, codec: number = DAG_PB): CID {
  return foreignCid(Buffer.from(`nobody has this ${what}`), codec, SHA2_256);
}

function absents(what: string, count: number, codec: number): CID[] {
  return Array.from({ length: count }, (_, i) => absent(`${what} ${i}`, codec));
}

function isLinks(it: readonly ForeignLink[] | CID): it is readonly ForeignLink[] {
  return Array.isArray(it);
}

function hex(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}
