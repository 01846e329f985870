/** Real dnf installs from a mirror that `serve` gives, while updates are committed. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { RpmMirror } from '../../testing/package-mirrors/rpm.ts';
import { Signer } from '../../testing/package-mirrors/signer.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { blocksOf } from '../../testing/package-tools/page.ts';
import { without } from '../../testing/package-tools/required.ts';
import type { Sandbox } from '../../testing/package-tools/sandbox.ts';

const ROUNDS = 15;

describe('dnf', { skip: onlyInAll(without('dnf', 'dnf', 'rpmbuild', 'rpmsign', 'createrepo_c', 'gpg')) }, () => {
  let trial: PackageTrial;
  let signer: Signer;
  let mirror: RpmMirror;
  let first: string;
  before(async () => {
    trial = await PackageTrial.open();
    signer = Signer.create(trial.scratch('gnupg'));
    mirror = new RpmMirror(trial.scratch('rpm'), trial.scratch('built'), signer);
    mirror.publish('1.0.0');
    trial.add(mirror, 'rpm');
    first = await trial.dateOf('rpm');
    await trial.serve();
  });
  after(async () => {
    signer.close();
    await trial.close();
  });

  /** A system without packages. */
  function system(meaning: Readonly<Record<string, string>> = {}): Sandbox {
    const sandbox = trial.sandbox(meaning);
    const key = sandbox.place('/etc/pki/rpm-gpg/mirror.asc');
    mkdirSync(dirname(key), { recursive: true });
    mkdirSync(sandbox.place('/etc/yum.repos.d'));
    copyFileSync(signer.key('asc'), key);
    sandbox.write('/etc/dnf/dnf.conf', '[main]\nplugins=0\n');
    sandbox.alias('dnf', '/usr/bin/dnf', '--installroot', sandbox.root, '--releasever', '1');
    return sandbox;
  }

  const installed = (sandbox: Sandbox) => sandbox.read('/usr/share/hello/text');

  test('an update that is committed between its index and its packages does not mix with them', async () => {
    const sandbox = system();
    const [repository] = blocksOf('dnf');
    await sandbox.follow([repository as never]);
    await sandbox.sh('dnf makecache --assumeyes');
    await trial.commit(mirror, 'rpm', '2.0.0');
    await sandbox.sh('dnf install --assumeyes hello');
    assert.equal(installed(sandbox), 'hello 1.0.0\n');
    await sandbox.sh('dnf upgrade --assumeyes --refresh hello');
    assert.equal(installed(sandbox), 'hello 2.0.0\n');
  });

  test('a date gives what was the newest then', async () => {
    const sandbox = system({ '20261125T120000Z': first });
    await sandbox.follow(blocksOf('dnf'));
    assert.equal(installed(sandbox), 'hello 2.0.0\n');
    await sandbox.follow(blocksOf('dnf', 'dnf at a date'));
    assert.equal(installed(sandbox), 'hello 1.0.0\n');
  });
  test(`${ROUNDS} downloads, beside updates of the mirror: nothing mismatches`, async () => {
    const sandbox = system();
    await sandbox.follow(blocksOf('dnf').slice(0, 1));
    const versions = await trial.besideCommits(mirror, 'rpm', ROUNDS, async () => {
      await sandbox.sh('rm -rf root && dnf install --assumeyes --refresh hello'.replace('root', sandbox.place('/usr')));
      const [, version = ''] = /^hello (.*)\n$/.exec(installed(sandbox)) ?? [];
      await sandbox.sh('dnf remove --assumeyes hello');
      return version;
    });
    assert.ok(versions.size > 2, [...versions].join(', '));
  });
});
