import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ShardctlError } from '../core/errors.ts';
import { type BlockId, DAG_PB, RAW } from '../core/model.ts';
import { cidText, sha256 } from '../dag/cid.ts';
import { ManifestBuilder } from '../shard/manifest.ts';
import { HostileGateway, headOf, type LieRule, type Truth } from '../testing/hostile-gateway.ts';
import { cut, dripping, html, LIES, NUISANCES, RANGE_LIES, silent, unwilling, wrongBytes } from '../testing/hostile-gateway-lies.ts';
import { truthOf } from '../testing/hostile-gateway-truth.ts';
import { GATEWAY_LIMITS, type GatewayLimits } from './failure.ts';
import { retryAfterMs } from './gateway.ts';
import { Gateways } from './gateways.ts';
import { manifestOf } from './manifests.ts';
import { readShardPart, type ShardPart } from './shard-part.ts';

/**
 * Short, so that silence and dripping end soon, and long enough for an honest gateway in a process that gets no time for a second. Streams
 * come on connections of their own, blocks by node:http.
 */
const limits = { ...GATEWAY_LIMITS, silenceMs: 1500, windowMs: 1500, paceMs: 100, firstPauseMs: 10, longestPauseMs: 1500, longBytes: 1 };
/** Where nothing is lost with a gateway that is given up too early. */
const hasty = { ...limits, silenceMs: 200, windowMs: 200 };
/** So many of the cases at a time: all at once, they would make each other wait as long as `limits` allow. */
const concurrency = 12;

function shardOf(contents: readonly Buffer[]) {
  const blocks = new Map<string, Buffer>();
  const builder = new ManifestBuilder();
  for (const bytes of contents) {
    const digest = sha256(bytes);
    blocks.set(Buffer.from(digest).toString('hex'), bytes);
    builder.add(digest, 0, bytes.length);
  }
  const root = builder.finish((block, digest) => blocks.set(Buffer.from(digest).toString('hex'), block));
  const truth = truthOf((digest) => blocks.get(Buffer.from(digest).toString('hex')));
  const digests = Buffer.concat(contents.map((bytes) => sha256(bytes)));
  const part = (from = 0, to = contents.length): ShardPart => ({
    cid: cidText(root, 1),
    digests,
    lengths: contents.map(({ length }) => length),
    from,
    to,
  });
  return { root, truth, part, contents };
}

/** Small ones and large ones, and one without a byte. */
const SHARD = shardOf([1, 100, 70_000, 0, 300_000, 17, 64 * 1024, 5000].map((length, i) => Buffer.alloc(length, `block ${i} `)));

/** Stopped when the test has ended, however it ends: a server that goes on holds the process up for ever. */
async function started(t: TestContext, truth: Truth): Promise<HostileGateway> {
  const server = await HostileGateway.start({ truth });
  t.after(() => server.stop());
  return server;
}

async function readAll(gateways: Gateways, part: ShardPart): Promise<Buffer[]> {
  const read: Buffer[] = [];
  await readShardPart(gateways, part, (position, bytes) => {
    assert.equal(position, part.from + read.length);
    read.push(Buffer.from(bytes));
  });
  return read;
}

async function withGateways(
  rules: readonly LieRule[],
  work: (gateways: Gateways, servers: readonly HostileGateway[], dropped: string[]) => Promise<void>,
  itsLimits: GatewayLimits = limits,
): Promise<void> {
  const servers = await Promise.all(rules.map((rule) => HostileGateway.start({ truth: SHARD.truth, rule })));
  const dropped: string[] = [];
  const gateways = new Gateways(
    servers.map(({ url }) => ({ url })),
    { limits: itsLimits, onDropped: (name, why) => dropped.push(`${name} ${why}`) },
  );
  try {
    await work(gateways, servers, dropped);
  } finally {
    gateways.close();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

const block: BlockId = { codec: RAW, digest: sha256(SHARD.contents[2] as Buffer) };
const all = Object.entries({ ...LIES, ...RANGE_LIES });

test('an honest gateway gives blocks, manifests, shards and parts of them', async () => {
  await withGateways([() => undefined], async (gateways) => {
    assert.deepEqual(await gateways.block(block), SHARD.contents[2]);
    const manifest = await manifestOf(gateways, SHARD.root);
    assert.deepEqual([...manifest.lengths], [...(SHARD.part().lengths as number[])]);
    for (let from = 0; from < SHARD.contents.length; from++)
      for (let to = from; to <= SHARD.contents.length; to++)
        assert.deepEqual(await readAll(gateways, SHARD.part(from, to)), SHARD.contents.slice(from, to));
  });
});

test('a gateway that lies, stalls or cuts gives no wrong block, and comes to an end', { concurrency: true }, async (t) => {
  await Promise.all(
    all.map(([name, lie]) =>
      t.test(name, async () => {
        await withGateways(
          [() => lie],
          async (gateways) => {
            for (const part of [SHARD.part(), SHARD.part(1, 6)]) {
              const read = await readAll(gateways, part).catch((error: unknown) => {
                assert.ok(error instanceof ShardctlError && error.code === 'TOO_FEW_PEERS', String(error));
                return undefined;
              });
              if (read !== undefined) assert.deepEqual(read, SHARD.contents.slice(part.from, part.to));
            }
            const got = await gateways.block(block).catch(() => undefined);
            if (got !== undefined) assert.deepEqual(got, SHARD.contents[2]);
          },
          hasty,
        );
      }),
    ),
  );
});

test('beside a gateway that lies, an honest one gives everything', { concurrency }, async (t) => {
  await Promise.all(
    all.map(([name, lie]) =>
      t.test(name, async () => {
        await withGateways([() => lie, () => undefined], async (gateways) => {
          for (let i = 0; i < 2; i++) {
            assert.deepEqual(await gateways.block(block), SHARD.contents[2]);
            assert.deepEqual(await readAll(gateways, SHARD.part()), SHARD.contents);
            assert.deepEqual(await readAll(gateways, SHARD.part(2, 7)), SHARD.contents.slice(2, 7));
          }
        });
      }),
    ),
  );
});

test('what is a nuisance and no lie ends well with one gateway', { concurrency }, async (t) => {
  await Promise.all(
    Object.entries(NUISANCES).map(([name, rule]) =>
      t.test(name, async () => {
        await withGateways([rule], async (gateways) => {
          assert.deepEqual(await gateways.block(block), SHARD.contents[2]);
          assert.deepEqual(await readAll(gateways, SHARD.part()), SHARD.contents);
          assert.deepEqual(await readAll(gateways, SHARD.part(3, 8)), SHARD.contents.slice(3, 8));
        });
        // And nothing on a connection of its own.
        const all = (gateways: Gateways) => readAll(gateways, SHARD.part());
        await withGateways([rule], async (gateways) => assert.deepEqual(await all(gateways), SHARD.contents), {
          ...limits,
          longBytes: GATEWAY_LIMITS.longBytes,
        });
      }),
    ),
  );
});

test('after a cut the reading goes on behind the last good block, and does not begin anew', async () => {
  const breaks: LieRule = ({ path, nth }) => (path.includes('format=raw') || nth > 0 ? undefined : cut((length) => length - 5001, 'close'));
  await withGateways([breaks], async (gateways, [server]) => {
    const part = SHARD.part();
    assert.deepEqual(await readAll(gateways, part), SHARD.contents);
    const bytes = SHARD.contents.reduce((sum, { length }) => sum + length, 0);
    assert.ok((server?.sent ?? 0) < 1.5 * bytes, `${server?.sent} bytes`);
  });
});

test('those that begin together begin with different gateways', async (t) => {
  const servers = await Promise.all([0, 1, 2].map(() => started(t, SHARD.truth)));
  const all = [1, 2, 3].map(
    (first) =>
      new Gateways(
        servers.map(({ url }) => ({ url })),
        { limits, first },
      ),
  );
  for (const gateways of all) assert.deepEqual(await gateways.block(block), SHARD.contents[2]);
  assert.deepEqual(
    servers.map(({ seen }) => seen.length),
    [1, 1, 1],
  );
  for (const gateways of all) gateways.close();
});

test('a gateway that lies is asked once, and is told of once', async () => {
  await withGateways([() => wrongBytes, () => undefined], async (gateways, [liar], dropped) => {
    for (let i = 0; i < 5; i++) assert.deepEqual(await gateways.block(block), SHARD.contents[2]);
    assert.equal(liar?.seen.length, 1);
    assert.equal(dropped.length, 1);
  });
});

test('when all are bad, the error says of each gateway why', async () => {
  await withGateways([() => html, () => wrongBytes], async (gateways, servers) => {
    await assert.rejects(gateways.block(block), ({ message }: Error) => servers.every(({ url }) => message.includes(`${url}: `)));
  });
});

test('a manifest is read although its nodes come from several gateways, one of which has none of them', async (t) => {
  const many = shardOf(Array.from({ length: 3000 }, (_, i) => Buffer.from(`block ${i}`)));
  const honest = await started(t, many.truth);
  const empty = await started(
    t,
    truthOf(() => undefined),
  );
  const gateways = new Gateways([{ url: empty.url }, { url: honest.url }], { limits });
  const manifest = await manifestOf(gateways, { codec: DAG_PB, digest: many.root.digest });
  assert.equal(manifest.blocks.size, 3000);
  assert.deepEqual((await readAll(gateways, many.part())).length, 3000);
  gateways.close();
});

test('the nodes of a manifest are asked of the gateway that had its root', async (t) => {
  const many = shardOf(Array.from({ length: 3000 }, (_, i) => Buffer.from(`block ${i}`)));
  const honest = await started(t, many.truth);
  const empty = await started(
    t,
    truthOf(() => undefined),
  );
  const gateways = new Gateways([{ url: empty.url }, { url: honest.url }], { limits });
  await manifestOf(gateways, { codec: DAG_PB, digest: many.root.digest });
  assert.deepEqual([honest.seen.length, empty.seen.length], [1 + Math.ceil(3000 / 256), 1]);
  gateways.close();
});

test('what Retry-After says is seconds or a date, and nonsense says nothing', () => {
  assert.equal(retryAfterMs('7'), 7000);
  assert.equal(retryAfterMs('Thu, 01 Jan 1970 00:00:10 GMT', 4000), 6000);
  assert.equal(retryAfterMs('Thu, 01 Jan 1970 00:00:10 GMT', 40_000), 0);
  for (const nonsense of ['soon', '-1x', '', undefined]) assert.equal(retryAfterMs(nonsense), undefined);
});

test('a gateway is left in the middle of a stream for one that is many times as fast, and is waited for where there is none', async () => {
  const slow: LieRule = () => dripping(2000, 20);
  await withGateways([() => undefined, slow], async (gateways, [fast, other]) => {
    // Each has its turn: the first one shows how fast it is.
    for (let i = 0; i < 4; i++) assert.deepEqual(await readAll(gateways, SHARD.part()), SHARD.contents);
    const bytes = SHARD.contents.reduce((sum, { length }) => sum + length, 0);
    assert.ok((other as HostileGateway).sent < bytes && (other as HostileGateway).seen.length === 1, `${other?.sent} bytes`);
    assert.equal(gateways.left, 2);
    await fast?.stop();
    assert.deepEqual(await readAll(gateways, SHARD.part(0, 4)), SHARD.contents.slice(0, 4));
  });
});

test('a gateway that would have to look for a block elsewhere is not waited for where another one has it', async () => {
  // As a Kubo does.
  const lacks: LieRule = ({ headers }) => (headers.get('cache-control') === 'only-if-cached' ? unwilling(412) : silent);
  await withGateways([lacks, lacks, () => undefined], async (gateways, servers) => {
    for (let i = 0; i < 3; i++) assert.deepEqual(await gateways.block(block), SHARD.contents[2]);
    assert.deepEqual(await readAll(gateways, SHARD.part()), SHARD.contents);
    assert.equal(gateways.left, 3);
    assert.ok(servers.every(({ seen }) => seen.length <= 4));
  });
});

test('a small answer that comes byte by byte is whole, and no longer than it may be', async () => {
  const bytes = SHARD.contents[2] as Buffer;
  const chunks = Buffer.concat([...bytes].map((byte) => Buffer.from(['1'.charCodeAt(0), 13, 10, byte, 13, 10])));
  const body = Buffer.concat([chunks, Buffer.from('0\r\n\r\n')]);
  const bytewise: LieRule = () => () => ({ head: headOf(200, { 'transfer-encoding': 'chunked' }), body, afterwards: 'close' });
  await withGateways([bytewise], async (gateways) => {
    assert.deepEqual(await gateways.block(block), bytes);
    const small = (most: number) => gateways.asking('it', (gateway) => gateway.small({ path: 'it' }, most));
    assert.deepEqual(await small(bytes.length), bytes);
    await assert.rejects(small(bytes.length - 1), { code: 'TOO_FEW_PEERS', message: /more than \d+ bytes/ });
  });
});

test('a block that no gateway has at hand is looked for by each', async () => {
  const looks: LieRule = ({ headers }) => (headers.get('cache-control') === 'only-if-cached' ? unwilling(412) : undefined);
  await withGateways([looks, looks], async (gateways) => assert.deepEqual(await gateways.block(block), SHARD.contents[2]));
});

test('a gateway alone that would take for ever over a block is given up, and the message says that it drips', async () => {
  // Half of what a block must come with at least.
  await withGateways(
    [() => dripping(10, 20)],
    async (gateways) => {
      await assert.rejects(gateways.block(block), { code: 'TOO_FEW_PEERS', message: /its answer drips: \d+ bytes in/ });
      await assert.rejects(readAll(gateways, SHARD.part(2)), { code: 'TOO_FEW_PEERS' });
    },
    hasty,
  );
});
