/** The last word: what a whole run stores, given to stock Kubo. */
import assert from 'node:assert/strict';
import { chmodSync, lutimesSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CAR_HEADER_BYTES, SectionCursor } from '../shard/car.ts';
import { oneIn } from '../testing/depth.ts';
import { KuboRepo, requireKubo } from '../testing/kubo.ts';
import { listing } from '../testing/listing.ts';
import { type Ran, TestHome } from '../testing/run.ts';
import { type TreeSpec, writeTree } from '../testing/tree.ts';

const sample = oneIn(5);

const MIB = 1024 * 1024;

/** Files of every shape, in more than one shard of a megabyte. */
const TREE: TreeSpec = {
  empty: '',
  small: 'small file\n',
  large: Buffer.alloc(3 * MIB + 17, 'abcdefghijk'),
  link: { link: 'pool/one' },
  dangling: { link: '/nowhere' },
  pool: Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`package-${i}`, Buffer.alloc(20_000 + i, `${i}`)])),
  crowded: Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`${'long-name-'.repeat(18)}${i}`, ''])),
  sub: { empty: {}, '.hidden': 'x' },
};

interface World {
  readonly source: string;
  readonly home: TestHome;
  readonly kubo: KuboRepo;
  readonly ran: Ran;
  readonly cars: readonly string[];
}

/** Adds a tree in shards of one megabyte, and makes an empty Kubo datastore beside it. */
async function setUp(t: TestContext): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-kubo-'));
  const home = await TestHome.create();
  t.after(() => {
    home.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const source = writeTree(join(dir, 'source'), TREE);
  setMetadata(source);
  const ran = await home.add(source, { shardBytes: MIB });
  return { source, home, ran, kubo: KuboRepo.init(join(dir, 'ipfs')), cars: carsOf(home) };
}

function setMetadata(source: string): void {
  chmodSync(join(source, 'small'), 0o4750);
  chmodSync(join(source, 'empty'), 0o600);
  utimesSync(join(source, 'empty'), 0, 1_600_000_000);
  utimesSync(join(source, 'small'), 0, -1000.5);
  utimesSync(join(source, 'large'), 0, 4_000_000_000.25);
  lutimesSync(join(source, 'link'), 0, 1_234_567_890);
  chmodSync(join(source, 'pool'), 0o2775);
  utimesSync(join(source, 'pool'), 0, 1_500_000_000.125);
}

function carsOf(home: TestHome): string[] {
  const shards = join(home.dir, 'peers', 'local', 'shards');
  const names = readdirSync(shards, { recursive: true }) as string[];
  return names.filter((name) => name.endsWith('.car')).map((name) => join(shards, name));
}

const shardCids = ({ ran }: World): string[] => ran.events.flatMap((event) => (event.type === 'sealed' ? [event.cid] : []));

test('every CAR of a local peer goes into ipfs dag import as it is, and gc then loses nothing', { skip: sample() }, async (t) => {
  if (!requireKubo(t)) return;
  const world = await setUp(t);
  assert.ok(world.cars.length > 5, 'several shards and a catalogue');
  for (const car of world.cars) world.kubo.run(['dag', 'import', '--pin-roots', car]);
  world.kubo.run(['repo', 'gc', '--quiet']);
  const out = join(world.home.dir, 'restored');
  world.kubo.run(['get', '--output', out, `/ipfs/${world.ran.summary.snapshot}/tree`]);
  assert.deepEqual(listing(out), listing(world.source));
});

test('a pin of one shard keeps exactly its blocks and follows nothing', { skip: sample() }, async (t) => {
  if (!requireKubo(t)) return;
  const world = await setUp(t);
  const stored = () =>
    new Set(
      world.kubo
        .text(['refs', 'local', '--unique'])
        .split('\n')
        .map((ref) => world.kubo.text(['cid', 'format', '-f=%D', ref])),
    );
  const before = stored();
  for (const car of world.cars) world.kubo.run(['dag', 'import', '--pin-roots=false', car]);
  const cid = shardCids(world).at(-1) as string;
  world.kubo.run(['pin', 'add', cid]);
  world.kubo.run(['repo', 'gc', '--quiet']);
  const blocks = blocksOf(world.cars.find((path) => path.includes(cid)) as string);
  assert.ok(blocks.length > 10);
  assert.deepEqual(stored(), new Set([...before, ...blocks.map(({ digest }) => digest)]));
});

test('ipfs cat of a shard is the concatenation of its blocks', { skip: sample() }, async (t) => {
  if (!requireKubo(t)) return;
  const world = await setUp(t);
  for (const cid of shardCids(world).slice(0, 3)) {
    const car = world.cars.find((path) => path.includes(cid)) as string;
    world.kubo.run(['dag', 'import', car]);
    const raw = blocksOf(car).filter(({ codec }) => codec === 0x55);
    assert.ok(world.kubo.run(['cat', cid]).equals(Buffer.concat(raw.map(({ data }) => data))));
  }
});

test('a snapshot lists its shards, its tree, and what it is', { skip: sample() }, async (t) => {
  if (!requireKubo(t)) return;
  const world = await setUp(t);
  for (const car of world.cars) world.kubo.run(['dag', 'import', car]);
  const { snapshot, tree } = world.ran.summary;
  assert.equal(world.kubo.text(['resolve', `/ipfs/${snapshot}/tree`]), `/ipfs/${tree}`);
  const file = JSON.parse(world.kubo.text(['cat', `/ipfs/${snapshot}/snapshot.json`]));
  assert.deepEqual([file.format, file.repository, file.parent, file.profile], [1, 'test', null, 'unixfs-v1-2025']);
  const links = world.kubo.text(['ls', '--size=false', '--resolve-type=false', `/ipfs/${snapshot}/shards`]).split('\n');
  assert.deepEqual(
    links.map((line) => line.trim().split(/\s+/)),
    shardCids(world).map((cid, i) => [cid, String(i).padStart(8, '0')]),
  );
});

test('without metadata the root is the one of ipfs add -r --hidden under the same profile and chunker', { skip: sample() }, async (t) => {
  if (!requireKubo(t)) return;
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-parity-'));
  const home = await TestHome.create();
  t.after(() => {
    home.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const source = writeTree(join(dir, 'source'), TREE);
  mkdirSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xdf, 0x0a, 0x22])]));
  const { profileOf } = await import('../dag/cid-profile.ts');
  for (const name of ['unixfs-v1-2025', 'unixfs-v0-2015']) {
    const kubo = KuboRepo.init(join(dir, name), name);
    for (const chunker of [undefined, 'size-1000', 'size-262144', 'rabin', 'rabin-1000-2000-8000']) {
      const ours = await home.add(source, { repository: `${name}-${chunker}`, metadata: false, profile: profileOf(name, chunker) });
      const args = ['add', '-r', '-Q', '--hidden', '--only-hash', ...(chunker === undefined ? [] : ['--chunker', chunker]), source];
      assert.equal(ours.summary.tree, kubo.text(args), `${name} ${chunker}`);
    }
  }
});

/** The sections of a CAR. */
function blocksOf(path: string): { codec: number; digest: string; data: Buffer }[] {
  const car = readFileSync(path);
  const blocks: { codec: number; digest: string; data: Buffer }[] = [];
  for (const cursor = new SectionCursor(car, CAR_HEADER_BYTES); cursor.next(); ) {
    const digest = base32(car.subarray(cursor.digestAt, cursor.dataAt));
    blocks.push({ codec: cursor.codec, digest, data: car.subarray(cursor.dataAt, cursor.end) });
  }
  return blocks;
}

/** As `ipfs cid format -f=%D` prints a digest. */
function base32(digest: Uint8Array): string {
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const digits = bits.match(/.{1,5}/g)?.map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(five.padEnd(5, '0'), 2)]) ?? [];
  return digits.join('');
}
