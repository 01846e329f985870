import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import type { PlacedShard } from '../../core/model.ts';
import { sameDigest } from '../../dag/cid.ts';
import type { Peer, ReadBlock, ShardReader } from '../../peer/peer.ts';
import { lookForBlocks } from './rebuild.ts';

const BLOCKS: readonly ReadBlock[] = Array.from({ length: 40 }, (_, i) => {
  const bytes = Buffer.from(`block ${i}`);
  return { bytes, digest: createHash('sha256').update(bytes).digest() };
});
const SHARD: PlacedShard = { cid: 'shard', bytes: 0, blocks: BLOCKS.length, carBytes: 0, peers: [] };

/** A peer whose reads do as `read` says, which is given the number of the block; its stream gives the first three, and then does as the fourth. */
class ReadPeer {
  readonly name: string;
  reads = 0;
  readonly #read: (at: number) => void;
  readonly #isBack: boolean;

  constructor(name: string, read: (at: number) => void, isBack = false) {
    this.name = name;
    this.#read = read;
    this.#isBack = isBack;
  }

  async metric(): Promise<unknown> {
    if (!this.#isBack) throw new ShardctlError('TOO_FEW_PEERS', `${this.name} is dark`);
    return {};
  }

  async open(): Promise<ShardReader> {
    const peer = this;
    return {
      blocks: BLOCKS.length,
      contents: () => ({
        digests: Buffer.concat(BLOCKS.map(({ digest }) => digest)),
        lengths: [],
        bytes: 0,
        dagSize: 0,
        carBytes: 0,
      }),
      read: async (digest) => {
        const at = BLOCKS.findIndex((block) => sameDigest(block.digest, digest));
        peer.reads++;
        peer.#read(at);
        return BLOCKS[at]?.bytes;
      },
      scan: async function* () {
        yield* BLOCKS.slice(0, 3);
        peer.#read(3);
      },
      close: async () => {},
    };
  }
}

const look = (...from: readonly ReadPeer[]) =>
  lookForBlocks(SHARD, { from: from as unknown as readonly Peer[], signal: new AbortController().signal });

const isDark = () => {
  throw new ShardctlError('TOO_FEW_PEERS', 'no answer');
};

test('a peer that falls silent while it is read is asked no more after three reads without an answer', async () => {
  const [dark, whole] = [new ReadPeer('dark', isDark), new ReadPeer('whole', () => {})];
  const { isWhole, lacking, silences, damages } = await look(dark, whole);
  assert.deepEqual([isWhole, lacking, [...silences], [...damages]], [true, undefined, [['dark', 'dark is dark']], []]);
  // Once while it was read front to back, and twice by block.
  assert.deepEqual([dark.reads, whole.reads], [2, BLOCKS.length - 3]);
});

test('where all fall silent, the blocks that nobody has given are known without asking for each', async () => {
  const [one, two] = [new ReadPeer('one', isDark), new ReadPeer('two', isDark)];
  const { isWhole, lacking, silences } = await look(one, two);
  assert.equal(isWhole, false);
  assert.deepEqual(lacking, Buffer.concat(BLOCKS.slice(3).map(({ digest }) => digest)));
  assert.deepEqual([...silences.keys()], ['one', 'two']);
  assert.deepEqual([one.reads, two.reads], [2, 3]);
});

test('a peer that does not answer now and then is asked again', async () => {
  const flaky = new ReadPeer('flaky', (at) => at % 3 !== 0 && isDark());
  const whole = new ReadPeer('whole', () => {});
  assert.equal((await look(flaky, whole)).isWhole, true);
  assert.equal(flaky.reads, BLOCKS.length - 3);
});

test('a peer that answers again after it was left out, as a daemon that restarts does, is not damaged', async () => {
  const lacksAll = Buffer.concat(BLOCKS.slice(3).map(({ digest }) => digest));
  const restarted = new ReadPeer('restarted', isDark, true);
  const { isWhole, lacking, silences, damages, unread } = await look(restarted);
  assert.deepEqual([isWhole, lacking, silences.size, damages.size], [false, lacksAll, 0, 0]);
  assert.deepEqual(
    [...unread].map(([name, { message }]) => [name, message]),
    [['restarted', 'no answer']],
  );
});

test('a peer that answers again and did not answer for one block is not damaged; one that gave another block is', async () => {
  const dark = new ReadPeer('dark', (at) => at === 20 && isDark(), true);
  const rotten = new ReadPeer('rotten', () => {
    throw new ShardctlError('DAMAGE', 'another hash');
  });
  const { isWhole, lacking, silences, damages, unread } = await look(dark, rotten);
  assert.deepEqual([isWhole, lacking, silences.size, [...unread.keys()]], [false, BLOCKS[20]?.digest, 0, ['dark']]);
  assert.deepEqual([...damages], [['rotten', 'another hash']]);
});

test('a peer that did not answer for a block which another gave, and has answered for each that is lacking, keeps nothing from being lost', async () => {
  const rots = () => {
    throw new ShardctlError('DAMAGE', 'another hash');
  };
  // Its stream ends without an answer, as that of a gateway does at the first block which it lacks.
  const cut = new ReadPeer('cut', (at) => (at === 3 || at === 7 ? isDark() : at === 20 && rots()), true);
  const rotten = new ReadPeer('rotten', (at) => at === 20 && rots());
  const { lacking, damages, silences, unread } = await look(cut, rotten);
  assert.deepEqual([lacking, [...damages.keys()], silences.size, unread.size], [BLOCKS[20]?.digest, ['cut', 'rotten'], 0, 0]);
});
