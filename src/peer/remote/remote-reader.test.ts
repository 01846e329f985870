import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusError } from '../http/error.ts';
import { openShard } from './remote-reader.ts';

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
const http = { who: 'peer "k"', address: 'http://k:5001' };

for (const [status, said, code] of [
  [500, 'input/output error', 'DAMAGE'],
  [500, 'block in storage has different hash than requested', 'DAMAGE'],
  [500, 'context canceled', 'TOO_FEW_PEERS'],
  [500, 'open blocks/XY: too many open files', 'TOO_FEW_PEERS'],
  [403, 'forbidden', 'TOO_FEW_PEERS'],
  [503, 'busy', 'TOO_FEW_PEERS'],
] as const) {
  test(`a shard whose manifest a daemon answers with HTTP ${status} and "${said}" is ${code}`, async () => {
    const refuses = () => Promise.reject(statusError({ settingsName: 'k', ...http, what: 'reading' }, status, said));
    const source = { http, block: refuses, exportCar: refuses, range: () => assert.fail('a manifest is read node by node') };
    await assert.rejects(openShard(source, CID), { code });
  });
}
