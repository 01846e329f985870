/**
 * An operator's mirror of 5,000 packages, each sync of which is stopped at a random point, and apt, which reads it from `serve` after each
 * update. With the gate it never meets a mismatch; without it, of the same mirror, it does.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Random } from '../../testing/campaign/random.ts';
import { onlyInAll } from '../../testing/depth.ts';
import { made } from '../../testing/package-mirrors/files.ts';
import { publishLarge, REPLACED, SUITE, syncStopped } from '../../testing/package-mirrors/large-archive.ts';
import { Signer } from '../../testing/package-mirrors/signer.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { without } from '../../testing/package-tools/required.ts';
import type { Sandbox } from '../../testing/package-tools/sandbox.ts';
import { apt } from '../../testing/package-tools/tools/apt.ts';

const STOPS = 8;
/** Names that rsync tells in one of these syncs: a hundred packages come and as many go, beside the indexes. */
const NAMES = 200;
const NAME = { gated: 'gated', open: 'open' };

describe('syncs that are stopped', { skip: onlyInAll(apt.isMissing || without('rsync', 'rsync')) }, () => {
  let trial: PackageTrial;
  let signer: Signer;
  before(async () => {
    trial = await PackageTrial.open();
    signer = Signer.create(trial.scratch('apt-keys'));
  });
  after(async () => {
    signer.close();
    await trial.close();
  });

  const client = async (name: string): Promise<Sandbox> => {
    const sandbox = await apt.sandbox(trial);
    const line = `deb [signed-by=/etc/apt/keyrings/mirror.gpg] http://127.0.0.1:8080/${name} ${SUITE} main\n`;
    sandbox.write('/etc/apt/sources.list.d/mirror.list', line);
    return sandbox;
  };
  const fetched = (sandbox: Sandbox) =>
    sandbox.run('sh', '-euc', `rm -f *.deb; apt-get update --error-on=any && apt-get download ${REPLACED.join(' ')} && cat p0_*.deb`);

  test('apt meets no mismatch in what the gate lets pass, and meets some where there is no gate', async () => {
    const { program } = trial;
    const [source, mirror] = [trial.scratch('source'), trial.scratch('mirror')];
    const publish = (version: number) => publishLarge(source, version, (text) => signer.clearsign(text));
    const random = new Random(Date.now());
    publish(1);
    made('rsync', ['-a', `${source}/`, `${mirror}/`]);
    program.succeeds('add', mirror, '--name', NAME.gated);
    program.succeeds('add', mirror, '--name', NAME.open, '--gate', 'off');
    await trial.serve();
    const [guarded, exposed] = [await client(NAME.gated), await client(NAME.open)];
    let held = 0;
    let mismatches = 0;
    for (let stop = 1; stop <= STOPS; stop++) {
      publish(1 + stop);
      await syncStopped(source, mirror, random.between(1, NAMES));
      const { code, stderr } = program.run('update', NAME.gated, '-q');
      assert.ok(code === 0 || code === 26, stderr);
      if (code === 26) held++;
      program.succeeds('update', NAME.open, '-q');
      for (const name of Object.values(NAME)) await trial.shown(name);
      const seen = await fetched(guarded);
      assert.equal(seen.code, 0, `after stop ${stop}: ${seen.output}`);
      if ((await fetched(exposed)).code !== 0) mismatches++;
    }
    assert.ok(mismatches > 0, 'no stop left a mirror that is torn');
    process.stdout.write(`# of ${STOPS} stops, ${held} were held back; apt met ${mismatches} mismatches without the gate\n`);
    made('rsync', ['-a', '--delete', `${source}/`, `${mirror}/`]);
    for (const [name, sandbox] of [
      [NAME.gated, guarded],
      [NAME.open, exposed],
    ] as const) {
      program.succeeds('update', name, '-q');
      await trial.shown(name);
      const { code, output } = await fetched(sandbox);
      assert.equal(code, 0, output);
      assert.ok(output.endsWith(`package 0 ${1 + STOPS}`), output);
    }
  });
});
