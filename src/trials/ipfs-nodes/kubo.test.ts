/** Real Kubo, with no peers and no network but the server, reads the mirror by HTTP. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { NodeTrial, writeMirror } from '../../testing/ipfs-nodes/node-trial.ts';
import { KuboDaemon, kuboBinary } from '../../testing/kubo.ts';
import { listing } from '../../testing/listing.ts';
import { missing, without } from '../../testing/package-tools/required.ts';
import { Program } from '../../testing/program.ts';
import { ServeProcess } from '../../testing/serve-process.ts';

const NO_KUBO = missing('kubo', kuboBinary() === undefined ? 'Kubo binary' : undefined);

describe('a Kubo that knows nobody but the server', { skip: onlyInAll(NO_KUBO) }, () => {
  let nodes: NodeTrial;
  before(async () => {
    nodes = await NodeTrial.open();
  });
  after(() => nodes.close());

  test('pins a whole snapshot with a question to the router now and then, and reads it from itself, with modes and times', async () => {
    const kubo = await nodes.kubo();
    await nodes.answered();
    await kubo.sh('test -z "$(ipfs swarm peers)" && test -z "$(ipfs bootstrap list)"');
    await kubo.follow(nodes.blocks('Kubo', 'Kubo: a whole mirror').slice(0, 1));
    nodes.assertMirror(join(kubo.work, 'mirror'));
    const answered = (await nodes.answered()).filter(({ agent }) => agent.startsWith('kubo'));
    const of = (start: string) => answered.filter(({ url }) => url.startsWith(start)).length;
    const [blocks, questions] = [of('/ipfs/'), of('/routing/')];
    // Each file is a leaf and a root: the shards have them all.
    assert.ok(blocks > 240, `${blocks} blocks`);
    assert.ok(questions < blocks / 5, `${questions} questions for ${blocks} blocks`);
    assert.deepEqual(new Set(answered.map(({ status }) => status)), new Set([200]));

    await kubo.sh(`ipfs repo gc --quiet && ipfs get -o again /ipfs/${nodes.program.head('debian').tree}`);
    // Now and then Kubo asks whether the server is still there: by a HEAD of the block that is nothing.
    const read = (await nodes.answered()).filter(({ method }) => method !== 'HEAD');
    assert.deepEqual(read, [], 'what is pinned is read from the node itself');
  });

  test('gets one file by the path of its tree', async () => {
    const kubo = await nodes.kubo();
    await kubo.follow(nodes.blocks('Kubo', 'Kubo: one file'));
    assert.equal(readFileSync(join(kubo.work, 'Release'), 'utf8'), 'Suite: stable\n');
  });

  test('gets a whole tree without pinning anything', async () => {
    const kubo = await nodes.kubo();
    await kubo.sh(`ipfs get -o mirror /ipfs/${nodes.program.head('debian').tree}`);
    nodes.assertMirror(join(kubo.work, 'mirror'));
  });
});

test('a Kubo on another machine reads by HTTPS and HTTP/2', { skip: onlyInAll(NO_KUBO || without('openssl', 'openssl')) }, async (t) => {
  const nodes = await NodeTrial.open();
  t.after(() => nodes.close());
  const server = nodes.sandbox();
  const blocks = nodes.blocks('Kubo', 'Kubo: another machine');
  await server.follow(blocks.slice(0, 1));
  const certificate = join(server.work, 'cert.pem');
  await nodes.serve('--tls-cert', certificate, '--tls-key', join(server.work, 'key.pem'));
  // What the page sets for the daemon. The router's address follows that of the server.
  const kubo = await nodes.kubo({ env: { SSL_CERT_FILE: certificate } });
  await kubo.sh(`ipfs get -o mirror /ipfs/${nodes.program.head('debian').tree}`);
  nodes.assertMirror(join(kubo.work, 'mirror'));
  const read = (await nodes.answered()).filter(({ url }) => url.startsWith('/ipfs/'));
  assert.deepEqual(new Set(read.map(({ protocol }) => protocol)), new Set(['HTTP/2.0']));
});

test('a Kubo that may not read by HTTP finds the Kubo daemons that hold the shards', { skip: onlyInAll(NO_KUBO) }, async (t) => {
  const program = new Program();
  const running: { stop: () => Promise<void> }[] = [];
  t.after(async () => {
    await Promise.all(running.map((it) => it.stop()));
    program.dispose();
  });
  const here = { 'Addresses.Swarm': ['/ip4/127.0.0.1/tcp/0'] };
  const start = async (name: string, settings: Readonly<Record<string, unknown>> = {}) => {
    const daemon = await KuboDaemon.start(program.path(name), { ...here, ...settings });
    running.push(daemon);
    return daemon;
  };
  const holders = await Promise.all(['a', 'b'].map((name) => start(name)));
  for (const [i, { url }] of holders.entries()) program.succeeds('peers', 'add', 'kubo', url, '--name', `holder-${i}`);
  const source = writeMirror(program.path('debian'));
  program.succeeds('add', source, '--shard-size', '2MiB');
  const served = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
  running.push(served);
  const reader = await start('reader', {
    'Routing.Type': 'autoclient',
    'Routing.DelegatedRouters': [served.url],
    'HTTPRetrieval.Enabled': false,
  });
  assert.equal(reader.repo.text(['swarm', 'peers']), '');
  const { cid, tree } = program.head('debian');
  await reader.repo.start(['pin', 'add', `/ipfs/${cid}/shards`]);
  await reader.repo.start(['get', '-o', program.path('mirror'), `/ipfs/${tree}`]);
  assert.deepEqual(listing(program.path('mirror')), listing(source));
  const connected = reader.repo.text(['swarm', 'peers']);
  for (const { repo } of holders) assert.match(connected, new RegExp(repo.text(['id', '-f', '<id>'])));
});
