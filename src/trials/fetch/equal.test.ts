/** `fetch` as a mirror operator runs it: the copy is equal to the source, to the nanosecond, whatever it is fetched from. */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { FetchTrial, OWN, publishMirror } from '../../testing/fetch-trial.ts';
import { treeState, writeHardTree } from '../../testing/hard-tree.ts';
import { requireKubo } from '../../testing/kubo.ts';
import { KuboTrio } from '../../testing/kubo-trio.ts';

const PACKAGES = 400;

describe('from serve', { skip: onlyInAll() }, () => {
  let trial: FetchTrial;
  before(async () => {
    trial = new FetchTrial();
    await writeHardTree(trial.source);
    publishMirror(trial.source, 10, PACKAGES);
    trial.commit();
    await trial.serve();
  });
  after(() => trial.stop());

  test('a first copy is equal in names, content, modes and nanoseconds; again, no content is fetched', async () => {
    const { code, stderr } = await trial.fetch(`${trial.gateway.url}/mirror`, trial.out, '--special-bits');
    assert.equal(code, 0, stderr);
    trial.assertEqual();
    const before = trial.gateway.sent;
    await trial.fetch(`${trial.gateway.url}/mirror`, trial.out, '--special-bits');
    assert.ok(trial.gateway.sent - before < 1_000_000, `${trial.gateway.sent - before} bytes`);
    trial.assertEqual();
  });

  test('an update fetches little more than what changed, and is equal, too', async () => {
    const { source } = trial;
    let changed = 0;
    for (const name of readdirSync(join(source, 'pool')).filter((_, i) => i % 40 === 0)) {
      const bytes = Buffer.alloc(60_000, `changed ${name}`);
      changed += bytes.length;
      writeFileSync(join(source, 'pool', name), bytes);
    }
    appendFileSync(join(source, 'large'), 'and more');
    changed += 1024 * 1024;
    renameSync(join(source, 'deep/er/and/deeper/x'), join(source, 'deep/renamed'));
    rmSync(join(source, 'with space'));
    rmSync(join(source, 'empty'), { recursive: true });
    writeFileSync(join(source, 'empty'), 'a file where a directory was');
    rmSync(join(source, 'link'));
    mkdirSync(join(source, 'link'));
    symlinkSync('elsewhere', join(source, 'link/inside'));
    chmodSync(join(source, 'plain'), 0o600);
    utimesSync(join(source, '-rf'), 5, 1_234_567_890.5);
    const bytes = await trial.fetched(trial.commit(), '--delete');
    trial.assertEqual();
    // Manifests and directories weigh much in a small tree.
    assert.ok(bytes <= 1.3 * changed + 300_000, `${bytes} bytes for ${changed}`);
  });

  test('a copy that was made by another tool is taken over without fetching it again', async () => {
    rmSync(trial.out, { recursive: true });
    const { cid } = trial.program.head('mirror');
    await trial.fetched(cid);
    rmSync(join(trial.out, OWN), { recursive: true, force: true });
    const bytes = await trial.fetched(cid);
    trial.assertEqual();
    // Directories and the nodes of files, and no content.
    assert.ok(bytes < 1_000_000, `${bytes} bytes`);
  });

  test('what somebody has damaged in a copy is mended by the next fetch of another state', async () => {
    writeFileSync(join(trial.out, 'plain'), 'somebody else was here');
    rmSync(join(trial.out, 'pool'), { recursive: true });
    symlinkSync('/tmp', join(trial.out, 'pool'));
    writeFileSync(join(trial.source, 'another'), 'state');
    await trial.fetched(trial.commit());
    trial.assertEqual();
  });
});

test('from three stock Kubo, of which none has all', { skip: onlyInAll() }, async (t) => {
  if (!requireKubo(t)) return;
  const trio = await KuboTrio.start();
  t.after(() => trio.stop());
  await writeHardTree(join(trio.source, 'hard'));
  const { code, stderr } = await trio.run('add', trio.source, '--shard-size', '512KiB', '--quiet');
  assert.equal(code, 0, stderr);
  const out = trio.program.path('copy');
  const via = trio.peers.flatMap(({ daemon }) => ['--via', daemon.gateway]);
  const fetch = async () => {
    const { code: ended, stderr: said } = await trio.run(
      'fetch',
      trio.program.head('mirror').cid,
      out,
      '--special-bits',
      '--delete',
      ...via,
    );
    assert.equal(ended, 0, said);
    assert.deepEqual(treeState(out, true, [OWN]), treeState(trio.source));
  };
  await fetch();
  writeFileSync(join(trio.source, 'hard/new'), 'new');
  rmSync(join(trio.source, 'package-0'));
  assert.equal((await trio.run('update', 'mirror', '--quiet')).code, 0);
  await fetch();
});
