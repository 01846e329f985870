import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { cidText } from '../../dag/cid.ts';
import { profileNamed } from '../../dag/cid-profile.ts';
import { treeRoot } from '../../testing/tree-root.ts';
import { localRoot } from './local-root.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-local-root-'));
});
after(() => rmSync(dir, { recursive: true }));

test('the root of a file or symlink on disk is the one that an import gives it', async () => {
  const bytes = Buffer.alloc(2_500_000, 'some bytes of a file');
  for (const size of [0, 1, 262_144, 262_145, 1_048_576, 2_500_000]) writeFileSync(join(dir, `${size}`), bytes.subarray(0, size));
  symlinkSync('1', join(dir, 'link'));
  chmodSync(join(dir, '1'), 0o4751);
  utimesSync(join(dir, '1'), 1.5, 1.25);
  for (const name of ['unixfs-v1-2025', 'unixfs-v0-2015', 'unixfs-v1-2025+size-262144', 'unixfs-v1-2025+rabin-65536-131072-262144']) {
    for (const metadata of [true, false]) {
      const options = { profile: profileNamed(name), metadata };
      for (const file of ['0', '1', '262144', '262145', '1048576', '2500000', 'link']) {
        const root = (await localRoot(join(dir, file), options)) ?? assert.fail();
        assert.equal(cidText(root, 1), cidText(await treeRoot(join(dir, file), options), 1), `${name} ${metadata} ${file}`);
      }
    }
  }
});

test('what is no file has no root', async () => {
  const options = { profile: profileNamed('unixfs-v1-2025'), metadata: true };
  mkdirSync(join(dir, 'directory'));
  assert.equal(await localRoot(join(dir, 'directory'), options), undefined);
  assert.equal(await localRoot(join(dir, 'none'), options), undefined);
});

test('a pipe that somebody puts in the place of a file while it is looked at holds nobody up', async () => {
  const options = { profile: profileNamed('unixfs-v1-2025'), metadata: true };
  const [path, pipe] = [join(dir, 'swapped'), join(dir, 'pipe')];
  for (let round = 0; round < 60; round++) {
    rmSync(path, { force: true });
    writeFileSync(path, 'x');
    execFileSync('mkfifo', [pipe]);
    const root = localRoot(path, options);
    for (let turn = 0; turn < round % 4; turn++) await setImmediate();
    renameSync(pipe, path);
    await root;
  }
});
