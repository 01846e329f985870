/** Makes a home with many shards, to measure commands with: `node make-many-shards.js DIR [SHARDS [PEERS]]`. */
import { resolve } from 'node:path';
import { makeManyShards } from './many-shards.ts';

const [dir, shards = '500000', peers = '2'] = process.argv.slice(2);
if (dir === undefined) throw new Error('which directory?');
const names = Array.from({ length: Number(peers) }, (_, at) => `p${at + 1}`);
await makeManyShards(resolve(dir), Number(shards), names);
