/** Real npm installs from a mirror that `serve` gives, while updates are committed. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { NpmMirror } from '../../testing/package-mirrors/npm.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { blocksOf } from '../../testing/package-tools/page.ts';
import { without } from '../../testing/package-tools/required.ts';
import type { Sandbox } from '../../testing/package-tools/sandbox.ts';

const ROUNDS = 8;

describe('npm', { skip: onlyInAll(without('npm', 'npm', 'tar')) }, () => {
  let trial: PackageTrial;
  let mirror: NpmMirror;
  let first: string;
  before(async () => {
    trial = await PackageTrial.open();
    mirror = new NpmMirror(trial.scratch('npm'), trial.scratch('built'), `${trial.url}/npm`);
    mirror.publish('1.0.0');
    trial.add(mirror, 'npm');
    first = await trial.dateOf('npm');
    await trial.serve();
  });
  after(() => trial.close());

  function project(meaning: Readonly<Record<string, string>> = {}): Sandbox {
    const sandbox = trial.sandbox(meaning, { npm_config_update_notifier: 'false', npm_config_audit: 'false', npm_config_fund: 'false' });
    sandbox.write('package.json', '{ "private": true }');
    return sandbox;
  }

  const installed = (sandbox: Sandbox) => sandbox.sh(`node -p "require('@example/hello')"`);

  test('an update that is committed between its index and its packages does not mix with them', async () => {
    const sandbox = project();
    const [registry, install] = blocksOf('npm');
    await sandbox.follow([registry as never]);
    await sandbox.sh('npm install --package-lock-only @example/hello');
    await trial.commit(mirror, 'npm', '2.0.0');
    await sandbox.sh('npm ci');
    assert.equal(await installed(sandbox), 'hello 1.0.0\n');
    await sandbox.sh('npm uninstall @example/hello');
    await sandbox.follow([install as never]);
    assert.equal(await installed(sandbox), 'hello 2.0.0\n');
  });

  test('a date gives what was the newest then', async () => {
    const sandbox = project({ '20261125T120000Z': first });
    await sandbox.follow(blocksOf('npm', 'npm at a date'));
    assert.equal(await installed(sandbox), 'hello 1.0.0\n');
  });

  test(`${ROUNDS} installations, beside updates of the mirror: nothing mismatches`, async () => {
    const sandbox = project();
    await sandbox.follow(blocksOf('npm').slice(0, 1));
    const versions = await trial.besideCommits(mirror, 'npm', ROUNDS, async () => {
      rmSync(sandbox.place('node_modules'), { recursive: true, force: true });
      rmSync(sandbox.place('~/.npm'), { recursive: true, force: true });
      await sandbox.sh('npm install --no-save --no-package-lock @example/hello');
      return await installed(sandbox);
    });
    assert.ok(versions.size > 1, [...versions].join(', '));
  });
});
