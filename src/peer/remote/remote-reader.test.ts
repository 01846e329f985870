import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusError } from '../http/error.ts';
import { openShard } from './remote-reader.ts';

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
const http = { who: 'peer "k"', address: 'http://k:5001' };

for (const [status, code] of [
  [500, 'DAMAGE'],
  [403, 'TOO_FEW_PEERS'],
  [503, 'TOO_FEW_PEERS'],
] as const) {
  test(`a shard whose manifest a daemon answers with HTTP ${status} is ${code}`, async () => {
    const refuses = () => Promise.reject(statusError({ settingsName: 'k', ...http, what: 'reading' }, status, 'input/output error'));
    const source = { http, block: refuses, exportCar: refuses, range: () => assert.fail('a manifest is read node by node') };
    await assert.rejects(openShard(source, CID), { code });
  });
}
