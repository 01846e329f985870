import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../../core/errors.ts';
import { type ByteString, type CidProfile, DIRECTORY, FILE, RAW, type Root } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { EntriesReader } from '../../index/entries/reader.ts';
import { EntriesWriter } from '../../index/entries/writer.ts';
import { SectionCursor } from '../../shard/car.ts';
import { digestOf, type ModelEntry, type ModelTree, type Planned, plannedEntries, treeOf, walkOf } from '../../testing/model-tree.ts';
import { CHANGED, METADATA, NEW } from '../../walk/directory.ts';
import type { FilledStep, WalkStep } from '../../walk/walk-step.ts';
import { compare } from '../compare/compare.ts';
import { takeOver } from '../compare/take-over.ts';
import { link } from './link.ts';

const TRUST = { ignoreCtime: false, ignoreInode: false, checksum: false };
const ROOT = { mode: 0o755, mtimeNs: 1n };

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-link-'));
});
after(() => rmSync(dir, { recursive: true }));

interface Linked {
  readonly root: Root;
  /** By digest, in latin1: all blocks that were made for this tree, and for the parents it was linked from. */
  readonly blocks: ReadonlyMap<string, Buffer>;
  readonly made: number;
  /** Where its entries are, without the ending. */
  readonly entries: string;
}

interface LinkingOptions {
  readonly metadata: boolean;
  readonly profile: CidProfile;
  /** Old nodes cannot be had from any peer. */
  readonly isAway?: boolean;
}

let written = 0;

/** Links the tree, from the parent's if there is one; what an import would do is that an entry's CID is a hash of what it is. */
async function linked(tree: ModelTree, { metadata, profile, isAway = false }: LinkingOptions, parent?: Linked): Promise<Linked> {
  const open = () => (parent === undefined ? undefined : EntriesReader.open(`${parent.entries}.hot`, `${parent.entries}.cold`));
  const [base, forTakeOver] = [open(), open()];
  const entries = join(dir, `${written++}`);
  const writer = new EntriesWriter(
    { hot: `${entries}.hot`, cold: `${entries}.cold` },
    { rootMode: ROOT.mode, rootMtime: ROOT.mtimeNs },
    () => false,
  );
  const blocks = new Map(parent?.blocks);
  const readNode = async (digest: Uint8Array): Promise<Uint8Array> => {
    const block = blocks.get(Buffer.from(digest).toString('latin1'));
    if (block === undefined || isAway) throw new ShardctlError('TOO_FEW_PEERS', 'away');
    return block;
  };
  const steps = takeOver(imported(compare(walkOf(tree), base, { ...TRUST, metadata }), tree), forTakeOver);
  const options = { profile, metadata, root: ROOT, rootDiffers: parent === undefined, base: undefined, treeBefore: parent?.root, readNode };
  const linking = link(steps, { ...options, entries: writer });
  let made = 0;
  let step = await linking.next();
  for (; step.done !== true; step = await linking.next()) {
    const { batch } = step.value;
    for (const cursor = new SectionCursor(batch); cursor.next(); made++) {
      const block = Buffer.from(batch.subarray(cursor.dataAt, cursor.end));
      assert.deepEqual(Buffer.from(sha256(block)), batch.subarray(cursor.digestAt, cursor.digestAt + 32));
      blocks.set(batch.toString('latin1', cursor.digestAt, cursor.digestAt + 32), block);
    }
  }
  writer.finish();
  base?.close();
  forTakeOver?.close();
  const root = step.value?.root ?? (parent as Linked).root;
  assert.ok(blocks.has(Buffer.from(root.digest).toString('latin1')), 'the root is among the blocks');
  return { root, blocks, made, entries };
}

async function* imported(steps: Iterable<WalkStep>, tree: ModelTree): AsyncGenerator<WalkStep | FilledStep, void, void> {
  for (const step of steps) {
    yield step;
    if (step.kind !== 'enter') continue;
    const { directory } = step;
    for (const [i, name] of directory.names.entries()) {
      const state = directory.states[i];
      if (directory.kinds[i] === DIRECTORY || (state !== NEW && state !== CHANGED && state !== METADATA)) continue;
      const path = joinBytes(directory.path, name);
      directory.setRoot(i, RAW, digestOf(contentOf(tree.get(path) as ModelEntry)), 0, 1 + (directory.sizes[i] as number));
    }
    yield { kind: 'filled', directory };
  }
}

const contentOf = ({ kind, mode, size, mtimeNs }: ModelEntry): string => `${kind} ${mode} ${size} ${mtimeNs}`;

/** What the entries say, record by record. */
function recordsOf({ entries }: Linked): unknown[] {
  const reader = EntriesReader.open(`${entries}.hot`, `${entries}.cold`);
  const records: unknown[] = [];
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const { path, names, kinds, sizes, mtimes } = record;
    const { cids, dagSizes } = reader.cold(record.ordinal, names.length);
    records.push([path, [...names], [...kinds], [...sizes], [...mtimes], Buffer.from(cids), [...dagSizes]]);
  }
  reader.close();
  return records;
}

const textOf = ({ root }: Linked): string => `${cidText(root, 1)} ${root.dagSize}`;

/** The law: however many steps it takes to get there, the tree is what it is made afresh, and so are its entries. */
async function assertAsFresh(trees: readonly ModelTree[], options: LinkingOptions): Promise<Linked> {
  let last: Linked | undefined;
  for (const tree of trees) {
    last = await linked(tree, options, last);
    const fresh = await linked(tree, options);
    assert.equal(textOf(last), textOf(fresh));
    assert.deepEqual(recordsOf(last), recordsOf(fresh));
  }
  return last as Linked;
}

test('a tree that is linked from its parents is the tree that is linked afresh, with the same entries', async () => {
  await fc.assert(
    fc.asyncProperty(
      plannedEntries,
      fc.array(plannedEntries, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (both, versions, metadata) => {
        const trees = versions.map((planned) => treeOf([...planned, ...both]));
        await assertAsFresh(trees, { metadata, profile: profileOf('unixfs-v1-2025') });
      },
    ),
    { numRuns: 40 },
  );
});

const NAMES = 1100;
const plain: ModelEntry = { kind: FILE, mode: 0o644, size: 1, mtimeNs: 1n, ctimeNs: 1n, inode: 1n };

/** A directory of so many names, at the root or below it, but for those that are left out, and with some that are otherwise. */
function largeTree(above: ByteString, without: readonly number[], altered: readonly number[], more: readonly number[]): ModelTree {
  const at = (i: number) => joinBytes(above, `package-${i}_1.0_amd64.deb`);
  const planned: Planned[] = [];
  for (let i = 0; i < NAMES; i++)
    if (!without.includes(i)) planned.push({ path: at(i), entry: altered.includes(i) ? { ...plain, size: 2 } : plain });
  for (const i of more) planned.push({ path: at(NAMES + i), entry: plain });
  return treeOf(planned);
}

const edit = fc.record({
  without: fc.uniqueArray(fc.nat(NAMES - 1), { maxLength: 12 }),
  altered: fc.uniqueArray(fc.nat(NAMES - 1), { maxLength: 12 }),
  more: fc.uniqueArray(fc.nat(5000), { maxLength: 12 }),
});

test('a HAMT directory that is linked from its parent is the one that is made afresh, whether or not its old nodes can be had', async () => {
  for (const name of ['unixfs-v1-2025', 'unixfs-v0-2015']) {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('', 'pool'),
        fc.array(edit, { minLength: 1, maxLength: 2 }),
        fc.boolean(),
        async (above, edits, isAway) => {
          const trees = [largeTree(above, [], [], []), ...edits.map((it) => largeTree(above, it.without, it.altered, it.more))];
          await assertAsFresh(trees, { metadata: true, profile: { ...profileOf(name), hamtThreshold: 60_000 }, isAway });
        },
      ),
      { numRuns: 6 },
    );
  }
});

test('a directory that grows over the threshold, or shrinks below it, changes its shape', async () => {
  const many = Array.from({ length: 70 }, (_, i) => i);
  const profile = { ...profileOf('unixfs-v1-2025'), hamtThreshold: 80_000 };
  const trees = [largeTree('a', [], [], []), largeTree('a', [], [], many), largeTree('a', many, [], [])];
  const shapes: string[] = [];
  for (const tree of trees) shapes.push(await shapeOf(tree, profile));
  assert.deepEqual(shapes, ['directory', 'hamt', 'directory']);
  await assertAsFresh(trees, { metadata: true, profile });
});

/** Of the directory `a`. */
async function shapeOf(tree: ModelTree, profile: CidProfile): Promise<string> {
  const { root, blocks } = await linked(tree, { metadata: true, profile });
  const nodeOf = (digest: Uint8Array) => decodeNode(blocks.get(Buffer.from(digest).toString('latin1')) as Buffer);
  return nodeOf(nodeOf(root.digest).links[0]?.digest as Uint8Array).type;
}

test('of a HAMT directory only the nodes on the way to a change are made, unless the old ones cannot be had', async () => {
  const profile = { ...profileOf('unixfs-v1-2025'), hamtThreshold: 60_000 };
  const options = { metadata: true, profile };
  const first = await linked(largeTree('a', [], [], []), options);
  const altered = largeTree('a', [5], [6], []);
  assert.ok(first.made > 200, `${first.made}`);
  const near = await linked(altered, options, first);
  assert.ok(near.made <= 8, `${near.made}`);
  const away = await linked(altered, { ...options, isAway: true }, first);
  assert.ok(away.made > 200, `${away.made}`);
});

test('where nothing differs nothing is made', async () => {
  const tree = largeTree('a', [], [], []);
  const options = { metadata: true, profile: profileOf('unixfs-v1-2025') };
  const again = await linked(tree, options, await linked(tree, options));
  assert.equal(again.made, 0);
});
