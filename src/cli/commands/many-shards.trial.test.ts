import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { removeFileSync } from '../../core/remove-file.ts';
import { onlyInAll, sampled } from '../../testing/depth.ts';
import { MANY_SHARDS, makeManyShards } from '../../testing/many-shards.ts';
import { Program } from '../../testing/program.ts';
import { carPath } from '../../testing/stored-home.ts';

/** More than are asked of a peer at once, in one folder and together. */
const SHARDS = sampled(1_200, 3_000);
const PEERS = ['one', 'two', 'three'];

const program = new Program();
before(() => makeManyShards(program.home, SHARDS, PEERS));
after(() => program.dispose());

const json = (...argv: string[]) => program.run(...argv, '--json').lines.map((line) => JSON.parse(line) as Record<string, unknown>);
const ofType = (lines: readonly Record<string, unknown>[], type: string) => lines.filter((line) => line.type === type);

test('of thousands of shards every one is counted where it is, and looked at', () => {
  const [status, peers, verified] = [json('status', '--shards'), json('peers', 'ls'), json('verify')];
  const [total] = ofType(status, 'replication');
  assert.deepEqual([total?.shards, total?.least, total?.atRisk, total?.damaged], [SHARDS + 1, 2, 0, 0]);
  const [repository] = ofType(status, 'repository');
  const head = repository?.head as Record<string, unknown>;
  assert.deepEqual([repository?.name, head.shards, head.replicas], [MANY_SHARDS, SHARDS, 2]);
  assert.equal(ofType(status, 'shard-status').length, SHARDS + 1);
  assert.deepEqual(
    ofType(peers, 'peer-status').map(({ name, shards }) => [name, shards]),
    PEERS.map((name) => [name, (2 * SHARDS) / PEERS.length]),
  );
  const [{ shards, blocks, damaged, tooFew } = {}] = ofType(verified, 'verified');
  assert.deepEqual({ shards, blocks, damaged, tooFew }, { shards: SHARDS + 1, blocks: 2 * (SHARDS + 1), damaged: 0, tooFew: 0 });
});

test('of thousands of shards just those are read that are asked for', { skip: onlyInAll() }, () => {
  const read = (part: string) => Number(ofType(json('verify', `--read-data=${part}`), 'verified')[0]?.bytes);
  const whole = read('');
  assert.equal(
    ['1/3', '2/3', '3/3'].map(read).reduce((a, b) => a + b),
    whole,
  );
  const [, some] = / looked at, ([\d,]+) of them read back/.exec(program.succeeds('verify', '--read-data=10%').stdout) ?? [];
  assert.equal(Number(some?.replace(',', '')), Math.ceil((SHARDS + 1) / 10));
});

test('one that lacks among them is found by each command, and named', () => {
  const some = ofType(json('status', '--shards'), 'shard-status')[SHARDS / 2] as { cid: string; replicas: { peer: string }[] };
  const [{ peer }] = some.replicas as [{ peer: string }];
  removeFileSync(carPath({ dir: program.home }, peer, some.cid));
  const atRisk = ofType(json('status', '--at-risk'), 'shard-status');
  assert.deepEqual(
    atRisk.map(({ cid, held, least }) => [cid, held, least]),
    [[some.cid, 1, 2]],
  );
  const head = ofType(json('status'), 'repository')[0]?.head as Record<string, unknown>;
  assert.equal(head.replicas, 1);
  const damage = ofType(json('verify'), 'damage');
  assert.deepEqual(
    damage.map(({ what, where }) => [String(what).endsWith(some.cid), where]),
    [[true, peer]],
  );
});
