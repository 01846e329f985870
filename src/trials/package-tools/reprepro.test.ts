/** reprepro makes a repository of its own from `serve`, as docs/package-managers.md has it, and brings it up to date. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import type { PackageMirror } from '../../testing/package-tools/package-tool.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { blocksOf } from '../../testing/package-tools/page.ts';
import { without } from '../../testing/package-tools/required.ts';
import { apt } from '../../testing/package-tools/tools/apt.ts';

describe('reprepro', { skip: onlyInAll(apt.isMissing || without('reprepro', 'reprepro')) }, () => {
  let trial: PackageTrial;
  let mirror: PackageMirror;
  before(async () => {
    trial = await PackageTrial.open();
    mirror = trial.add(apt);
    await trial.serve();
  });
  after(() => trial.close());

  test('it takes what is new from the mirror, whose signature it checks', async () => {
    const keys = await apt.sandbox(trial);
    const shown = await keys.sh(`gpg --with-colons --show-keys ${keys.place('/etc/apt/keyrings/mirror.gpg')}`);
    const KEYID = /^fpr:+([0-9A-F]+):/m.exec(shown)?.[1]?.slice(-16) ?? '';
    const sandbox = await apt.sandbox(trial, { KEYID });
    const hello = async () => {
      await sandbox.follow(blocksOf('apt', 'reprepro'));
      return await sandbox.sh('reprepro -b ~/copy list stable hello');
    };
    assert.match(await hello(), /hello 1\.0\.0/);
    await trial.commit(mirror, apt.repository, '1.1.0');
    assert.match(await hello(), /hello 1\.1\.0/);
    const stranger = await apt.sandbox(trial, { KEYID: '0123456789ABCDEF' });
    await assert.rejects(stranger.follow(blocksOf('apt', 'reprepro')));
  });
});
