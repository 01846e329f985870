/**
 * An operator's mirror of 5,000 packages, each sync of which is stopped at a random point, and apt, which reads from `serve` what that showed
 * after each update. With the gate it never meets a mismatch; without it, of the same mirror, it does.
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
/** That ask at the same time. */
const CLIENTS = [1, 2];
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

  const clientOf = async (address: string): Promise<Sandbox> => {
    const sandbox = await apt.sandbox(trial);
    const line = `deb [signed-by=/etc/apt/keyrings/mirror.gpg] http://127.0.0.1:8080/${address} ${SUITE} main\n`;
    sandbox.write('/etc/apt/sources.list.d/mirror.list', line);
    return sandbox;
  };
  const fetchedFrom = async (address: string) =>
    await (await clientOf(address)).run(
      'sh',
      '-euc',
      `apt-get update --error-on=any && apt-get download ${REPLACED.join(' ')} && cat p0_*.deb`,
    );
  const update = async (name: string) => await trial.program.follow(() => {}, 'update', name, '--quiet');

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
    // What apt is shown after each stop keeps its own address, so it need not be asked before the next one.
    const [passed, open] = [new Set<string>(), new Set<string>()];
    let held = 0;
    for (let stop = 1; stop <= STOPS; stop++) {
      publish(1 + stop);
      await syncStopped(source, mirror, random.between(1, NAMES));
      const [gated, exposed] = await Promise.all([update(NAME.gated), update(NAME.open)]);
      assert.ok(gated.code === 0 || gated.code === 26, gated.stderr);
      assert.equal(exposed.code, 0, exposed.stderr);
      if (gated.code === 26) held++;
      passed.add(`${NAME.gated}@${program.head(NAME.gated).number}`);
      open.add(`${NAME.open}@${program.head(NAME.open).number}`);
    }
    for (const name of Object.values(NAME)) await trial.shown(name);
    let mismatches = 0;
    const asked = async (address: string) => {
      const { code, output } = await fetchedFrom(address);
      if (open.has(address)) mismatches += code === 0 ? 0 : 1;
      else assert.equal(code, 0, `${address}: ${output}`);
    };
    const addresses = [NAME.gated, ...passed, ...open];
    await Promise.all(
      CLIENTS.map(async () => {
        for (let address = addresses.pop(); address !== undefined; address = addresses.pop()) await asked(address);
      }),
    );
    assert.ok(mismatches > 0, 'no stop left a mirror that is torn');
    process.stdout.write(`# of ${STOPS} stops, ${held} were held back; apt met ${mismatches} mismatches without the gate\n`);
    made('rsync', ['-a', '--delete', `${source}/`, `${mirror}/`]);
    await Promise.all(
      Object.values(NAME).map(async (name) => {
        const { code, stderr } = await update(name);
        assert.equal(code, 0, stderr);
        await trial.shown(name);
        const { code: fetched, output } = await fetchedFrom(name);
        assert.equal(fetched, 0, output);
        assert.ok(output.endsWith(`package 0 ${1 + STOPS}`), output);
      }),
    );
  });
});
