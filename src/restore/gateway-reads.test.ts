import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidText, sha256 } from '../dag/cid.ts';
import { GATEWAY_LIMITS } from '../gateway/failure.ts';
import { ManifestBuilder } from '../shard/manifest.ts';
import { HostileGateway, headOf, honestly, type Lie, type LieRule } from '../testing/hostile-gateway.ts';
import { rangeOf, truthOf } from '../testing/hostile-gateway-truth.ts';
import { GatewayReads } from './gateway-reads.ts';
import { ReadBuffers } from './run-cursor.ts';
import type { ShardJob } from './shard-job.ts';

const BLOCK_BYTES = 100_000;

function shardOf(count: number) {
  const contents = Array.from({ length: count }, (_, number) => Buffer.alloc(BLOCK_BYTES, `block ${number} `));
  const known = new Map<string, Buffer>();
  const builder = new ManifestBuilder();
  const keep = (digest: Uint8Array, bytes: Buffer) => known.set(Buffer.from(digest).toString('hex'), bytes);
  for (const bytes of contents) {
    keep(sha256(bytes), bytes);
    builder.add(sha256(bytes), 0, bytes.length);
  }
  const root = builder.finish((block, digest) => keep(digest, block));
  return { contents, cid: cidText(root, 1), truth: truthOf((digest) => known.get(Buffer.from(digest).toString('hex'))) };
}

type Shard = ReturnType<typeof shardOf>;

/** @returns what came of the wanted blocks, by their numbers in the shard, and how many were passed over */
async function readFrom({ contents, cid, truth }: Shard, rule: LieRule, wanted: readonly number[]) {
  const server = await HostileGateway.start({ truth, rule });
  const reads = new GatewayReads();
  const limits = { ...GATEWAY_LIMITS, quietMs: 100 };
  const came: number[] = [];
  try {
    const job = {
      shard: cid,
      fileBytes: contents.length * BLOCK_BYTES,
      lengths: Uint32Array.from(wanted, () => BLOCK_BYTES),
      fileOffsets: Float64Array.from(wanted, (number) => number * BLOCK_BYTES),
      digests: Buffer.concat(wanted.map((number) => sha256(contents[number] as Buffer))),
    } as unknown as ShardJob;
    const lacking = await reads.read({ form: 'gateways', addresses: [{ url: server.url }], limits }, job, {
      isWanted: () => true,
      take: (block, bytes) => {
        assert.deepEqual(bytes, contents[wanted[block] as number]);
        came.push(wanted[block] as number);
      },
      taker: { isStopped: false },
      buffers: new ReadBuffers(),
    });
    return { came, lacking };
  } finally {
    reads.close();
    await server.stop();
  }
}

test('parts of a shard that lie far apart are asked for side by side, and come in their order', { timeout: 20_000 }, async () => {
  let begun = 0;
  let onTwo = () => {};
  const two = new Promise<void>((resolve) => {
    onTwo = resolve;
  });
  // Who asks for one after the other waits for ever.
  const together: Lie = async (truth, asked) => {
    if (++begun === 2) onTwo();
    await two;
    return await honestly(truth, asked);
  };
  const { came } = await readFrom(shardOf(8), () => together, [0, 2, 4, 6]);
  assert.deepEqual(came, [0, 2, 4, 6]);
});

/** As Kubo: where a block lacks it looks for it among its peers, in the middle of the file, and says nothing meanwhile. */
const lacking =
  ({ contents }: Shard, missing: readonly number[]): LieRule =>
  ({ path, headers }) => {
    if (path.includes('format=raw')) {
      const isMissing = missing.some((number) => path.includes(cidText({ codec: 0x55, digest: sha256(contents[number] as Buffer) }, 1)));
      return isMissing ? () => ({ head: headOf(412, {}), body: Buffer.alloc(0), afterwards: 'close' }) : undefined;
    }
    const [from] = rangeOf({ headers }, contents.length * BLOCK_BYTES) ?? [0];
    const stop = missing.map((number) => number * BLOCK_BYTES).find((at) => at >= from);
    if (stop === undefined) return undefined;
    return async (truth, asked) => {
      const { head, body } = await honestly(truth, asked);
      return { head, body: (body as Buffer).subarray(0, stop - from), afterwards: 'silence' };
    };
  };

for (const [count, name] of [
  [12, 'a short stretch'],
  [30, 'a long stream'],
] as const) {
  test(`a gateway that is quiet is asked for the next block of ${name}; if it lacks that, the reading goes on behind it`, {
    timeout: 20_000,
  }, async () => {
    const shard = shardOf(count);
    const all = shard.contents.map((_, number) => number);
    const missing = [3, 4, 7];
    const { came, lacking: passed } = await readFrom(shard, lacking(shard, missing), all);
    assert.deepEqual(
      came,
      all.filter((number) => !missing.includes(number)),
    );
    assert.equal(passed, missing.length);
  });
}

test('what lacks more than a few blocks side by side is given up', { timeout: 20_000 }, async () => {
  const shard = shardOf(12);
  await assert.rejects(
    readFrom(
      shard,
      lacking(shard, [3, 4, 5, 6, 7]),
      shard.contents.map((_, number) => number),
    ),
    { code: 'TOO_FEW_PEERS', message: /does not have block bafk/ },
  );
});
