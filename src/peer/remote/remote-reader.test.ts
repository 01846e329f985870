import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RAW } from '../../core/model.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import { CAR_HEADER_BYTES, SectionCursor } from '../../shard/car.ts';
import { makeBlocks, makeShard } from '../../testing/shards.ts';
import { statusError, transportError } from '../http/error.ts';
import type { HttpResponse } from '../http/response.ts';
import { openShard, type ShardSource } from './remote-reader.ts';

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
const NAMES = { settingsName: 'k', who: 'peer "k"', address: 'http://k:5001', what: 'reading' };
const http = NAMES;

for (const [status, code] of [
  [500, 'DAMAGE'],
  [403, 'TOO_FEW_PEERS'],
  [503, 'TOO_FEW_PEERS'],
] as const) {
  test(`a shard whose manifest a daemon answers with HTTP ${status} is ${code}`, async () => {
    const refuses = () => Promise.reject(statusError(NAMES, status, 'input/output error'));
    const source = { http, block: refuses, exportCar: refuses, range: () => assert.fail('a manifest is read node by node') };
    await assert.rejects(openShard(source, CID), { code });
  });
}

/** Gives a shard whose CAR stream ends with `error` after its first bytes; single blocks come, but for those at `lost`. */
function cutting(lost: readonly number[], error: Error) {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-cut-'));
  const { cid, carPath, data } = makeShard(dir, makeBlocks(8, 400));
  const car = readFileSync(carPath);
  rmSync(dir, { recursive: true, force: true });
  const blocks = new Map<string, Buffer>();
  const cursor = new SectionCursor(car.subarray(CAR_HEADER_BYTES));
  while (cursor.next()) {
    const bytes = car.subarray(CAR_HEADER_BYTES + cursor.dataAt, CAR_HEADER_BYTES + cursor.end);
    blocks.set(cidText({ codec: cursor.codec, digest: sha256(bytes) }, 1), bytes);
  }
  for (const at of lost) blocks.delete(cidText({ codec: RAW, digest: sha256(data[at] as Buffer) }, 1));
  async function* cut() {
    yield car.subarray(0, car.length / 4);
    throw error;
  }
  const source: ShardSource = {
    http,
    block: async (it) => blocks.get(it),
    exportCar: async () => ({ bytes: cut }) as unknown as HttpResponse,
    range: () => assert.fail('a scan reads no range'),
  };
  return { source, cid };
}

const brokenBy = (code: string) => transportError(NAMES, Object.assign(new Error(code), { code }), 1000);

test('where a gateway cuts its stream at a block that it lacks, the blocks are asked for one by one, and that one is missing', async () => {
  const { source, cid } = cutting([5], brokenBy('ECONNRESET'));
  const reader = await openShard(source, cid);
  const damage: string[] = [];
  let count = 0;
  for await (const _ of reader.scan((detail) => damage.push(detail))) count++;
  assert.equal(count, 7);
  assert.match(damage.join('; '), /^block \w+ is missing$/);
});

test('a stream that ends in silence for the whole time-out is not followed by questions for each block', async () => {
  const { source, cid } = cutting([], brokenBy('UND_ERR_BODY_TIMEOUT'));
  const reader = await openShard(source, cid);
  const read = async () => {
    for await (const _ of reader.scan(() => {}));
  };
  await assert.rejects(read(), { code: 'TOO_FEW_PEERS' });
});
