import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, DAG_PB, RAW } from '../../core/model.ts';
import { encodeFileNode } from '../../dag/file-node.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import { type Blocks, UnlistedBlock } from '../blocks/block-source.ts';
import { type Gaps, Wholeness } from './wholeness.ts';

const keyOf = (digest: Uint8Array) => Buffer.from(digest).toString('hex');

/** A home: blocks, and which shards hold each. */
class Holding implements Blocks {
  readonly memory = new MemoryBlocks();
  readonly shards = new Map<string, readonly number[]>();
  readonly links = new Map<string, readonly BlockId[]>();
  reads = 0;

  leaf(bytes: Uint8Array, shards: readonly number[]): BlockId {
    const digest = this.memory.put(bytes);
    this.shards.set(keyOf(digest), shards);
    return { codec: RAW, digest };
  }

  node(children: readonly BlockId[], shards: readonly number[]): BlockId & { readonly bytes: Buffer } {
    const bytes = encodeFileNode(
      children.map((child) => ({ ...child, fileBytes: 1, dagSize: 1 })),
      undefined,
      1,
    );
    const { digest } = this.leaf(bytes, shards);
    this.links.set(keyOf(digest), children);
    return { codec: DAG_PB, digest, bytes };
  }

  shardOf(digest: Uint8Array, at = 0, usable: (shard: number) => boolean = () => true): number | undefined {
    return this.shards.get(keyOf(digest.subarray(at, at + 32)))?.find(usable);
  }

  async read(digest: Uint8Array): Promise<Uint8Array> {
    if (this.shardOf(digest) === undefined) throw new UnlistedBlock(digest);
    this.reads++;
    return await this.memory.read(digest);
  }

  /** The slow model: everything that the tree reaches, by codec and digest. */
  missing(tree: BlockId, shards: ReadonlySet<number>): Set<string> {
    const [met, missing] = [new Set<string>(), new Set<string>()];
    const visit = ({ codec, digest }: BlockId) => {
      const key = keyOf(digest);
      if (met.has(`${codec} ${key}`)) return;
      met.add(`${codec} ${key}`);
      if (this.shardOf(digest, 0, (shard) => shards.has(shard)) === undefined) missing.add(key);
      if (codec === DAG_PB && this.shardOf(digest) !== undefined) for (const child of this.links.get(key) ?? []) visit(child);
    };
    visit(tree);
    return missing;
  }

  wholeness(signal = new AbortController().signal): Wholeness {
    return new Wholeness({ index: this, blocks: this, emit: () => {}, signal });
  }
}

/** The nodes of a random DAG; some of its leaves are the bytes of its nodes. */
interface Spec {
  readonly nodes: readonly {
    readonly children: readonly { readonly at: number; readonly asLeaf: boolean }[];
    readonly in: readonly number[];
  }[];
  readonly walks: readonly { readonly root: number; readonly shards: readonly number[] }[];
}

const someShards = fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });
const spec: fc.Arbitrary<Spec> = fc.record({
  nodes: fc.array(
    fc.record({
      children: fc.array(fc.record({ at: fc.nat(40), asLeaf: fc.boolean() }), { maxLength: 5 }),
      in: fc.oneof({ weight: 5, arbitrary: fc.constantFrom([1], [1, 2], [2, 3]) }, { weight: 1, arbitrary: someShards }),
    }),
    { minLength: 1, maxLength: 40 },
  ),
  walks: fc.array(fc.record({ root: fc.nat(40), shards: fc.oneof(fc.constantFrom([1, 2, 3], [1, 2, 3, 4]), someShards) }), {
    minLength: 1,
    maxLength: 5,
  }),
});

test('what is missing is what a slow walk of each tree by itself says, whatever was walked before', async () => {
  await fc.assert(
    fc.asyncProperty(spec, async ({ nodes, walks }) => {
      const home = new Holding();
      const made: (BlockId & { readonly bytes: Buffer })[] = [];
      for (const { children, in: shards } of nodes) {
        const below = children.map(({ at, asLeaf }): BlockId => {
          const node = made[at % Math.max(1, made.length)];
          if (node === undefined) return home.leaf(Buffer.from(String(at)), shards);
          return asLeaf ? { codec: RAW, digest: node.digest } : node;
        });
        made.push(home.node(below, shards));
      }
      const wholeness = home.wholeness();
      for (const { root, shards } of walks) {
        const tree = made[root % made.length] as BlockId;
        const expected = home.missing(tree, new Set(shards));
        const gaps: Gaps = await wholeness.gaps(tree, new Set(shards));
        assert.equal(gaps.missing, expected.size);
        assert.equal(gaps.nowhere, [...expected].filter((key) => home.shards.get(key)?.length === 0).length);
        assert.equal(gaps.first.length, Math.min(3, expected.size));
        // Together with the shards that hold the rest, the tree is whole but for what is nowhere.
        const more = new Set([...shards, ...gaps.elsewhere]);
        assert.equal(home.missing(tree, more).size, gaps.nowhere);
      }
    }),
    { numRuns: 300 },
  );
});

test('a later tree costs its new nodes alone, as long as its shards include those of the one before', async () => {
  const home = new Holding();
  const shared = home.node(
    Array.from({ length: 50 }, (_, i) => home.node([home.leaf(Buffer.from(`${i}`), [1])], [1])),
    [1],
  );
  const second = home.node([shared, home.leaf(Buffer.from('new'), [2])], [2]);
  const wholeness = home.wholeness();
  await wholeness.gaps(shared, new Set([1]));
  assert.equal(home.reads, 51);
  assert.equal((await wholeness.gaps(second, new Set([1, 2]))).missing, 0);
  assert.equal(home.reads, 52);
  assert.equal((await wholeness.gaps(second, new Set([2]))).missing, 101, 'nothing is taken over from more shards');
});

test('a node that counts as held, and is in no shard that can be read, is an error: what is below it is unknown', async () => {
  const home = new Holding();
  const held = home.node([home.leaf(Buffer.from('below'), [])], [1]);
  const root = home.node([held], [1]);
  const damage = new ShardctlError('DAMAGE', 'every copy is damaged');
  const read = home.read.bind(home);
  home.read = async (digest) => {
    if (keyOf(digest) === keyOf(held.digest)) throw damage;
    return await read(digest);
  };
  // As `repair` counts: a damaged shard holds what it should while somebody asks for usable shards, and is none of the intact ones.
  const shardOf = home.shardOf.bind(home);
  home.shardOf = (digest, at, usable) =>
    usable === undefined && keyOf(digest) === keyOf(held.digest) ? undefined : shardOf(digest, at, usable);
  await assert.rejects(home.wholeness().gaps(root, new Set([1])), damage);
  assert.equal((await home.wholeness().gaps(root, new Set([2]))).missing, 2, 'one that is missing anyway may be damaged');
});

test('an abort is heard in a walk that never waits', async (t) => {
  // A clock that goes on by 10 ms with each look at it: turns come due after the same number of steps on every machine.
  let now = 0;
  t.mock.method(performance, 'now', () => (now += 10));
  const home = new Holding();
  let root = home.node([], [1]);
  for (let i = 0; i < 3000; i++) root = home.node([root], [1]);
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  await assert.rejects(home.wholeness(controller.signal).gaps(root, new Set([1])), { name: 'AbortError' });
});
