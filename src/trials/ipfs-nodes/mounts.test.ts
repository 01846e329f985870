/** File systems over the server: by rclone, by a Kubo that reads from it, and the one in which package tools manage a repository. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onlyInAll } from '../../testing/depth.ts';
import { withoutFuse } from '../../testing/fault-mount/fault-mount.ts';
import { differences, NodeTrial } from '../../testing/ipfs-nodes/node-trial.ts';
import { kuboBinary } from '../../testing/kubo.ts';
import { listing } from '../../testing/listing.ts';
import type { Block } from '../../testing/package-tools/page.ts';
import { missing, without } from '../../testing/package-tools/required.ts';
import type { Sandbox } from '../../testing/package-tools/sandbox.ts';
import { fixture } from '../../testing/program.ts';

const NO_KUBO = missing('kubo', kuboBinary() === undefined ? 'Kubo binary' : undefined);
const BIN = fileURLToPath(new URL('../../../../bin/shardctl.js', import.meta.url));

/** A mount ends before what is behind it. */
function unmountedAtEnd(nodes: NodeTrial, ...dirs: string[]): void {
  nodes.atEnd(async () => {
    for (const dir of dirs) spawnSync('umount', ['--lazy', dir]);
  });
}

/** A Kubo whose mounts are at `mnt` in its working directory. @param more that the page says before it is started */
async function mounted(nodes: NodeTrial, more: readonly Block[] = []): Promise<Sandbox> {
  const kubo = await nodes.kubo({ more });
  unmountedAtEnd(nodes, ...['ipfs', 'ipns', 'mfs'].map((name) => join(kubo.work, 'mnt', name)));
  await kubo.follow(nodes.blocks("Kubo's mounts"));
  return kubo;
}

describe('a mount of the mirror', { skip: onlyInAll(withoutFuse()) }, () => {
  let nodes: NodeTrial;
  before(async () => {
    nodes = await NodeTrial.open();
  });
  after(() => nodes.close());

  test('by rclone has names, sizes, times of files and content', { skip: without('rclone', 'rclone', 'fusermount3') }, async () => {
    const sandbox = nodes.sandbox();
    const mount = join(sandbox.work, 'mnt');
    unmountedAtEnd(nodes, mount);
    await sandbox.follow(nodes.blocks('rclone'));
    assert.equal(differences(nodes.source, mount, '-rtLOni'), '');
    assert.equal(differences(nodes.source, mount, '-rLOnic'), '');
  });

  test('by Kubo is the mirror, with modes and times', { skip: NO_KUBO }, async () => {
    const kubo = await mounted(nodes);
    nodes.assertMirror(join(kubo.work, 'mnt/ipfs', nodes.program.head('debian').tree));
  });
});

const NO_TOOLS = without('dpkg-dev', 'dpkg-deb', 'dpkg-scanpackages', 'apt-ftparchive');

test('package tools manage a repository in Kubo’s writable mount, and shardctl commits it from there', {
  skip: onlyInAll(withoutFuse() || NO_KUBO || NO_TOOLS),
}, async (t) => {
  const nodes = await NodeTrial.open((dir) => {
    cpSync(fixture('debian'), dir, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    return dir;
  });
  t.after(() => nodes.close());
  const { program } = nodes;
  const first = program.head('debian').tree;
  const [settings, copy, tools, commit] = nodes.blocks("A repository managed in Kubo's writable mount") as [Block, Block, Block, Block];
  const kubo = await mounted(nodes, [settings]);
  await kubo.sh(
    'mkdir -p hello/DEBIAN && printf "Package: hello\\nVersion: 1\\nArchitecture: all\\nMaintainer: A <a@b>\\nDescription: d\\n" > hello/DEBIAN/control',
  );
  await kubo.sh('dpkg-deb --build hello ~/hello_1_all.deb');
  await kubo.follow([copy]);
  const mirror = join(kubo.work, 'mnt/mfs/mirror');
  nodes.assertMirror(mirror);

  await kubo.follow([tools]);
  // Beyond what the kernel remembers of names: inode numbers are others now, and during the run.
  kubo.alias('shardctl', 'env', `SHARDCTL_HOME=${program.home}`, process.execPath, BIN);
  assert.match(await kubo.follow([commit]), / new +4 files/);
  assert.notEqual(program.head('debian').tree, first);
  assert.match(await kubo.sh('shardctl update debian --ignore-ctime --ignore-inode'), /nothing has changed/);

  program.succeeds('get', 'debian', '-o', program.path('restored'));
  assert.deepEqual(listing(program.path('restored')), listing(mirror));
  const packages = await kubo.sh(`curl -fsS ${nodes.url}/debian/dists/stable/main/binary-amd64/Packages`);
  assert.match(packages, /^Filename: pool\/main\/h\/hello\/hello_1_all\.deb$/m);
  // And it still is what it was.
  assert.equal(
    await kubo.sh(`curl -fsS -o /dev/null -w '%{http_code}' ${nodes.url}/debian@1/dists/stable/main/binary-amd64/Packages`),
    '200',
  );
});
