/** Real Kubo, with no peers and no network but the server, reads the mirror by HTTP. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { NodeTrial } from '../../testing/ipfs-nodes/node-trial.ts';
import { kuboBinary } from '../../testing/kubo.ts';
import { missing } from '../../testing/package-tools/required.ts';

const NO_KUBO = missing('kubo', kuboBinary() === undefined ? 'Kubo binary' : undefined);

describe('a Kubo that knows nobody but the server', { skip: onlyInAll(NO_KUBO) }, () => {
  let nodes: NodeTrial;
  before(async () => {
    nodes = await NodeTrial.open();
  });
  after(() => nodes.close());

  test('pins a whole snapshot with a question to the router now and then, and reads it from itself, with modes and times', async () => {
    const kubo = await nodes.kubo();
    nodes.answered();
    await kubo.sh('test -z "$(ipfs swarm peers)" && test -z "$(ipfs bootstrap list)"');
    await kubo.follow(nodes.blocks('Kubo', 'Kubo: a whole mirror').slice(0, 1));
    nodes.assertMirror(join(kubo.work, 'mirror'));
    const answered = nodes.answered().filter(({ agent }) => agent.startsWith('kubo'));
    const of = (start: string) => answered.filter(({ url }) => url.startsWith(start)).length;
    const [blocks, questions] = [of('/ipfs/'), of('/routing/')];
    // Each file is a leaf and a root: the shards have them all.
    assert.ok(blocks > 240, `${blocks} blocks`);
    assert.ok(questions < blocks / 5, `${questions} questions for ${blocks} blocks`);
    assert.deepEqual(new Set(answered.map(({ status }) => status)), new Set([200]));

    await kubo.sh(`ipfs repo gc --quiet && ipfs get -o again /ipfs/${nodes.trial.program.head('debian').tree}`);
    assert.deepEqual(nodes.answered(), [], 'what is pinned is read from the node itself');
  });

  test('gets one file by the path of its tree', async () => {
    const kubo = await nodes.kubo();
    await kubo.follow(nodes.blocks('Kubo', 'Kubo: one file'));
    assert.equal(readFileSync(join(kubo.work, 'Release'), 'utf8'), 'Suite: stable\n');
  });

  test('gets a whole tree without pinning anything', async () => {
    const kubo = await nodes.kubo();
    await kubo.sh(`ipfs get -o mirror /ipfs/${nodes.trial.program.head('debian').tree}`);
    nodes.assertMirror(join(kubo.work, 'mirror'));
  });
});
