/**
 * rsync stopped at random points of a sync of an archive of 5,000 packages. A client that does what apt does must meet no mismatch in a
 * tree that the gate lets pass; without the gate it does in some.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { sampled } from '../testing/depth.ts';
import { type Content, judgedTree, type PlainTree } from '../testing/judged-tree.ts';
import { made } from '../testing/package-mirrors/files.ts';
import { INDEX, publishLarge, SUITE, syncStopped } from '../testing/package-mirrors/large-archive.ts';
import { without } from '../testing/package-tools/required.ts';
import { packageGate } from './package-gate.ts';

const STOPS = sampled(3, 50);
/** Syncs that are under way at the same time. */
const COPIES = [1, 2, 3];
const run = promisify(execFile);
const gate = packageGate({ kinds: 'auto', action: 'hold', keyrings: [] });

/** Contents by inode and time: the copies are hard links. */
const contents = new Map<string, Buffer>();

function treeAt(dir: string): PlainTree {
  const tree = new Map<string, Content>();
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const at = join(entry.parentPath, entry.name);
    const { ino, mtimeMs, size } = lstatSync(at);
    const key = `${ino} ${mtimeMs} ${size}`;
    const bytes = contents.get(key) ?? readFileSync(at);
    contents.set(key, bytes);
    tree.set(at.slice(dir.length + 1), bytes);
  }
  return tree;
}

/** What apt would say: each file that it is led to is there and is what it should be. */
function clientMeetsMismatch(tree: PlainTree): boolean {
  const inRelease = String(tree.get(`dists/${SUITE}/InRelease`));
  const [, hex] = /^ ([0-9a-f]{64}) /m.exec(inRelease) ?? [];
  const index = tree.get(`dists/${SUITE}/${INDEX}`) as Buffer | undefined;
  if (index === undefined || hexOf(index) !== hex) return true;
  return String(gunzipSync(index))
    .split('\n\n')
    .some((stanza) => {
      const bytes = tree.get(/^Filename: (.*)$/m.exec(stanza)?.[1] ?? '') as Buffer | undefined;
      return bytes === undefined || hexOf(bytes) !== /^SHA256: (.*)$/m.exec(stanza)?.[1];
    });
}

const hashes = new WeakMap<Buffer, string>();

function hexOf(bytes: Buffer): string {
  const hex = hashes.get(bytes) ?? createHash('sha256').update(bytes).digest('hex');
  hashes.set(bytes, hex);
  return hex;
}

test('a sync that was stopped is held back, and nobody meets a mismatch in what passes', { skip: without('rsync', 'rsync') }, async () => {
  const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'shardctl-gate-'));
  try {
    const [source, mirror] = [join(dir, 'source'), join(dir, 'mirror')];
    publishLarge(source, 1);
    made('rsync', ['-a', `${source}/`, `${mirror}/`]);
    const passed = treeAt(mirror);
    publishLarge(source, 2);
    let mismatches = 0;
    let held = 0;
    const stopped = async (stop: number, copy: string) => {
      await run('cp', ['-al', mirror, copy]);
      await syncStopped(source, copy, 1 + Math.floor(Math.random() * 200));
      const tree = treeAt(copy);
      const { count } = await gate(judgedTree(tree, passed), new AbortController().signal);
      // What a mirror leaves out on purpose holds nothing back; of this one the head has everything.
      if (stop % 5 === 0) {
        const shown = await gate(judgedTree(tree, undefined, undefined, passed), new AbortController().signal);
        assert.equal(shown.count, count);
      }
      const isMismatch = clientMeetsMismatch(tree);
      if (isMismatch) mismatches++;
      if (count > 0) held++;
      assert.equal(count > 0, isMismatch, `stopped at ${stop}: ${count} contradictions`);
      await run('rm', ['-r', copy]);
    };
    let begun = 0;
    await Promise.all(
      COPIES.map(async (copy) => {
        while (begun < STOPS) await stopped(begun++, join(dir, `copy-${copy}`));
      }),
    );
    assert.ok(mismatches > 0, 'no stop left a mirror that is torn');
    process.stdout.write(`# of ${STOPS} stops, ${mismatches} left a torn mirror, ${held} were held back\n`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
