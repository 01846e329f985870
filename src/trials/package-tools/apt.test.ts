/** Real apt installs from a mirror that `serve` gives, while updates are committed. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { DebianMirror } from '../../testing/package-mirrors/debian.ts';
import { Signer } from '../../testing/package-mirrors/signer.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { blocksOf } from '../../testing/package-tools/page.ts';
import { without } from '../../testing/package-tools/required.ts';
import type { Sandbox } from '../../testing/package-tools/sandbox.ts';

const ROUNDS = 50;

describe('apt', { skip: onlyInAll(without('apt', 'apt-get', 'dpkg', 'dpkg-deb', 'gpg', 'gpgv', 'xz')) }, () => {
  let trial: PackageTrial;
  let signer: Signer;
  let mirror: DebianMirror;
  let first: string;
  before(async () => {
    trial = await PackageTrial.open();
    signer = Signer.create(trial.scratch('gnupg'));
    mirror = new DebianMirror(trial.scratch('debian'), trial.scratch('built'), signer);
    mirror.publish('1.0.0');
    trial.add(mirror, 'debian');
    first = await trial.dateOf('debian');
    await trial.serve();
  });
  after(async () => {
    signer.close();
    await trial.close();
  });

  /** A system without packages. */
  function system(meaning: Readonly<Record<string, string>> = {}): Sandbox {
    const config = trial.scratch(`apt-${Math.random()}.conf`);
    const sandbox = trial.sandbox(meaning, { APT_CONFIG: config, DEBIAN_FRONTEND: 'noninteractive' });
    for (const dir of [
      'etc/apt/apt.conf.d',
      'etc/apt/sources.list.d',
      'etc/apt/preferences.d',
      'etc/apt/auth.conf.d',
      'var/lib/apt/lists/partial',
      'var/cache/apt/archives/partial',
      'var/log/apt',
      'var/lib/dpkg/info',
      'var/lib/dpkg/updates',
    ]) {
      mkdirSync(sandbox.place(`/${dir}`), { recursive: true });
    }
    writeFileSync(sandbox.place('/var/lib/dpkg/status'), '');
    writeFileSync(
      config,
      [
        `Dir "${sandbox.root}";`,
        `Dir::State::status "${sandbox.root}/var/lib/dpkg/status";`,
        `DPkg::Options { "--root=${sandbox.root}"; };`,
        'APT::Sandbox::User "root";',
        'APT::Architecture "amd64";',
        'Acquire::Retries "0";',
        'Acquire::Languages "none";',
        '',
      ].join('\n'),
    );
    const keyring = sandbox.place('/etc/apt/keyrings/mirror.gpg');
    mkdirSync(dirname(keyring), { recursive: true });
    copyFileSync(signer.key('gpg'), keyring);
    return sandbox;
  }

  const installed = (sandbox: Sandbox) => sandbox.read('/usr/share/hello/text');

  test('an update that is committed between its index and its packages does not mix with them', async () => {
    const sandbox = system();
    const [sources, install] = blocksOf('apt');
    await sandbox.follow([sources as never]);
    await sandbox.sh('apt-get update');
    await trial.commit(mirror, 'debian', '2.0.0');
    await sandbox.sh('apt-get install --yes hello');
    assert.equal(installed(sandbox), 'hello 1.0.0\n');
    await sandbox.follow([install as never]);
    assert.equal(installed(sandbox), 'hello 2.0.0\n');
  });

  test('a date gives what was the newest then', async () => {
    const sandbox = system({ '20261125T120000Z': first });
    await sandbox.follow(blocksOf('apt', 'apt at a date'));
    assert.equal(installed(sandbox), 'hello 1.0.0\n');
  });

  test(`${ROUNDS} updates and downloads, beside updates of the mirror: nothing mismatches`, async () => {
    const sandbox = system();
    await sandbox.follow(blocksOf('apt').slice(0, 1));
    const versions = await trial.besideCommits(mirror, 'debian', ROUNDS, async () => {
      const output = await sandbox.sh('apt-get update --error-on=any && apt-get download hello hello-data && ls && rm *.deb');
      const [, data, greeting] = /^hello-data_(.*)_all\.deb\nhello_(.*)_all\.deb$/m.exec(output) ?? [];
      assert.ok(greeting !== undefined && greeting === data, output);
      return greeting;
    });
    assert.ok(versions.size > 5, [...versions].join(', '));
  });
});
