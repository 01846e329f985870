/** Helia, the IPFS implementation in JavaScript, reads the mirror by HTTP. `scripts/peers/build-helia` installs it, and the Node that it needs. */
import assert from 'node:assert/strict';
import { existsSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { NodeTrial } from '../../testing/ipfs-nodes/node-trial.ts';
import { missing } from '../../testing/package-tools/required.ts';

const HELIA = join(process.env.SHARDCTL_PEERS ?? join(homedir(), '.cache', 'shardctl-peers'), 'helia');
const NO_HELIA = missing('helia', existsSync(join(HELIA, '.made')) ? undefined : 'Helia');

test('Helia lists a directory and reads a file of the newest snapshot', { skip: onlyInAll(NO_HELIA) }, async (t) => {
  const nodes = await NodeTrial.open();
  t.after(() => nodes.close());
  const sandbox = nodes.sandbox();
  symlinkSync(join(HELIA, 'node_modules'), join(sandbox.work, 'node_modules'));
  sandbox.alias('node', join(HELIA, 'node_modules/node/bin/node'));
  assert.equal(await sandbox.follow(nodes.blocks('Helia')), 'main\none large\nSuite: stable\n');
  const read = (await nodes.answered()).filter(({ agent }) => agent === 'node');
  assert.ok(read.some(({ url }) => url.startsWith('/routing/v1/providers/')));
  assert.ok(read.some(({ url }) => url.startsWith('/ipfs/')));
  assert.deepEqual(new Set(read.map(({ status }) => status)), new Set([200]));
});
