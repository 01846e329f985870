import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, ShardctlError } from '../../core/errors.ts';
import { sha256 } from '../../dag/cid.ts';
import type { Peer, ShardReader } from '../../peer/peer.ts';
import { BlockSource } from './block-source.ts';

/** A peer that opens shards whose only block is their name, and counts what it does. */
class FakePeer {
  opens = 0;
  open = 0;
  mostOpen = 0;
  closedInUse = 0;
  readonly #fail: { open?: ErrorCode; read?: ErrorCode };

  constructor(fail: { open?: ErrorCode; read?: ErrorCode } = {}) {
    this.#fail = fail;
  }

  get asPeer(): Peer {
    const open = async (cid: string): Promise<ShardReader> => {
      this.opens++;
      if (this.#fail.open !== undefined) throw new ShardctlError(this.#fail.open, `cannot open ${cid}`);
      this.mostOpen = Math.max(this.mostOpen, ++this.open);
      let reading = 0;
      return {
        blocks: 1,
        contents: () => ({ digests: Buffer.alloc(0), lengths: [], bytes: 0, dagSize: 0, carBytes: 0 }),
        read: async () => {
          reading++;
          await new Promise((resolve) => setImmediate(resolve));
          reading--;
          if (this.#fail.read !== undefined) throw new ShardctlError(this.#fail.read, `cannot read ${cid}`);
          return Buffer.from(cid);
        },
        scan: async function* () {},
        close: async () => {
          this.open--;
          if (reading > 0) this.closedInUse++;
        },
      };
    };
    return { open } as unknown as Peer;
  }
}

function sourceOf(peers: Record<string, FakePeer>, onTrouble?: (message: string) => void): BlockSource {
  const names = Object.keys(peers);
  return new BlockSource({
    locate: (digest) => ({ cid: `shard ${digest[0]}`, peers: names }),
    peers: new Map(Object.entries(peers).map(([name, peer]) => [name, peer.asPeer])),
    ...(onTrouble === undefined ? {} : { onTrouble }),
  });
}

const digestOf = (shard: number) => new Uint8Array(32).fill(shard);

test('a block comes from the next replica when one is damaged or away, and the trouble is told once', async () => {
  const peers = { away: new FakePeer({ open: 'TOO_FEW_PEERS' }), damaged: new FakePeer({ read: 'DAMAGE' }), good: new FakePeer() };
  const trouble: string[] = [];
  const source = sourceOf(peers, (message) => trouble.push(message));
  for (let i = 0; i < 3; i++) assert.equal(String(await source.read(digestOf(1))), 'shard 1');
  assert.equal(peers.away.opens, 1, 'what could not be opened is not tried for every block');
  assert.deepEqual(trouble, ['peer "away": cannot open shard 1', 'peer "damaged": cannot read shard 1']);
  await source.close();
  assert.equal(peers.good.open, 0);
});

test('without an intact replica the error names the block, the shard and what each peer said', async () => {
  const bad = { a: new FakePeer({ open: 'NOT_FOUND' }), b: new FakePeer({ read: 'DAMAGE' }) };
  await assert.rejects(sourceOf(bad).read(digestOf(1)), {
    code: 'DAMAGE',
    message: /bafk.* of shard shard 1.*a: cannot open.*b: cannot read/,
  });
  const away = { a: new FakePeer({ open: 'TOO_FEW_PEERS' }) };
  await assert.rejects(sourceOf(away).read(digestOf(1)), { code: 'TOO_FEW_PEERS' });
  const nowhere = new BlockSource({ locate: () => undefined, peers: new Map() });
  await assert.rejects(nowhere.read(sha256(Buffer.from('x'))), { code: 'DAMAGE', message: /in no shard of this home/ });
  const unknown = new BlockSource({ locate: () => ({ cid: 'shard 1', peers: ['gone'] }), peers: new Map() });
  await assert.rejects(unknown.read(digestOf(1)), { code: 'TOO_FEW_PEERS', message: /"gone" is not configured/ });
});

test('few shards stay open, and none is closed while it is read', async () => {
  const peer = new FakePeer();
  const source = sourceOf({ peer });
  for (let round = 0; round < 3; round++) {
    for (let shard = 0; shard < 50; shard++) await source.read(digestOf(shard));
  }
  assert.ok(peer.mostOpen <= 9, `${peer.mostOpen} were open at once`);
  const many = Array.from({ length: 50 }, (_, shard) => source.read(digestOf(shard)));
  assert.deepEqual(
    (await Promise.all(many)).map(String),
    Array.from({ length: 50 }, (_, shard) => `shard ${shard}`),
  );
  assert.equal(peer.closedInUse, 0);
  await source.close();
  assert.equal(peer.open, 0);
});

test('a shard that is read again and again is opened once', async () => {
  const peer = new FakePeer();
  const source = sourceOf({ peer });
  await Promise.all(Array.from({ length: 20 }, () => source.read(digestOf(1))));
  for (let shard = 2; shard < 30; shard++) {
    await source.read(digestOf(shard));
    await source.read(digestOf(1));
  }
  assert.equal(peer.opens, 29);
  await source.close();
});

test('a block that is damaged in one shard comes from another shard that has it', async () => {
  const peers = { bad: new FakePeer({ read: 'DAMAGE' }), good: new FakePeer() };
  const places = [
    { cid: 'old', peers: ['bad'] },
    { cid: 'new', peers: ['good'] },
  ];
  const source = new BlockSource({
    locate: (_, except) => places.find(({ cid }) => !except.has(cid)),
    peers: new Map(Object.entries(peers).map(([name, peer]) => [name, peer.asPeer])),
  });
  assert.equal(String(await source.read(digestOf(1))), 'new');
  await source.close();
});

test('a peer that falls silent again and again is not waited for with each block', async () => {
  const peer = new FakePeer({ open: 'TOO_FEW_PEERS' });
  const source = sourceOf({ peer });
  for (let shard = 0; shard < 20; shard++) await assert.rejects(source.read(digestOf(shard)), { code: 'TOO_FEW_PEERS' });
  assert.equal(peer.opens, 3);
});

test('a walk over blocks that are at hand hears its signal all the same', async () => {
  const asked = new AbortController();
  const reader = { read: async () => Buffer.from('block'), close: async () => {} };
  const source = new BlockSource({
    locate: () => ({ cid: 'shard 1', peers: ['memory'] }),
    peers: new Map([['memory', { open: async () => reader } as unknown as Peer]]),
    signal: asked.signal,
  });
  setTimeout(() => asked.abort(new Error('enough')), 1);
  await assert.rejects(async () => {
    // Many more than fit between two turns of the event loop, and not for ever: the test must end when the signal is not heard, too.
    for (let reads = 0; reads < 3_000_000; reads++) await source.read(digestOf(1));
  }, /enough/);
});
