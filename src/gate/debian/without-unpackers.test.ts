/** A machine without the programs that unpack indexes, or with others of the same names: what the gate cannot read is no reason to hold. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { GateSetting, Verdict } from '../../core/verdict.ts';
import { beginEach } from '../../testing/each.ts';
import { type Content, judgedTree, type PlainTree } from '../../testing/judged-tree.ts';
import { made } from '../../testing/package-mirrors/files.ts';
import { packageGate } from '../package-gate.ts';

const AUTO: GateSetting = { kinds: 'auto', action: 'hold', keyrings: [] };
const DIRECTORY = 'dists/s/main/binary-amd64';

let programs: string;
beginEach((dir) => {
  programs = join(dir, 'bin');
  mkdirSync(programs, { recursive: true });
});

function hexOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** An archive whose index names a package that is not there. @param packings of the index, by the programs that made them */
function archive(packings: Readonly<Record<string, string>>): Map<string, Content> {
  const text = Buffer.from(`Package: p\nFilename: pool/gone.deb\nSize: 1\nSHA256: ${hexOf(Buffer.from('p'))}\n`);
  const files = new Map<string, Content>();
  let release = 'Suite: s\nSHA256:\n';
  for (const [end, program] of Object.entries(packings)) {
    const bytes = made(program, ['-c'], { input: text });
    files.set(`${DIRECTORY}/Packages${end}`, bytes);
    release += ` ${hexOf(bytes)} ${bytes.length} main/binary-amd64/Packages${end}\n`;
  }
  return files.set('dists/s/Release', Buffer.from(release));
}

/** With the programs of `programs` alone. */
async function judge(files: PlainTree, setting = AUTO): Promise<Verdict> {
  const { PATH } = process.env;
  process.env.PATH = programs;
  try {
    return await packageGate(setting)(judgedTree(files), new AbortController().signal);
  } finally {
    process.env.PATH = PATH;
  }
}

function provide(program: string, script: string): void {
  const path = join(programs, program);
  rmSync(path, { force: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

test('an index whose program is not there is not judged, and is counted', async () => {
  const { count, lacking, kinds } = await judge(archive({ '.xz': 'xz' }));
  assert.deepEqual([count, lacking, kinds], [0, [{ program: 'xz', indexes: 1 }], ['debian']]);
});

test('another packing of it that can be read is judged in its place', async () => {
  provide('bzip2', 'exec /usr/bin/bzip2 "$@"');
  for (const [end, program] of [
    ['.gz', 'gzip'],
    ['.bz2', 'bzip2'],
  ] as const) {
    const { count, lacking } = await judge(archive({ '.xz': 'xz', [end]: program }));
    assert.deepEqual([count, lacking], [1, []]);
  }
});

test('packings that cannot be unpacked are not compared with the one that can, and nothing is lacking', async () => {
  const files = archive({ '.gz': 'gzip', '.xz': 'xz' });
  const { count, lacking } = await judge(files.set('pool/gone.deb', Buffer.from('p')));
  assert.deepEqual([count, lacking], [0, []]);
});

test('a program of that name that cannot unpack anything counts as none, and one that is killed, too', async () => {
  const files = archive({ '.xz': 'xz' });
  for (const script of ['echo "xz: invalid option" >&2; exit 1', 'kill -9 $$']) {
    provide('xz', script);
    const { count, lacking } = await judge(files);
    assert.deepEqual([count, lacking], [0, [{ program: 'xz', indexes: 1 }]]);
  }
  provide('xz', 'exec /usr/bin/xz "$@"');
  assert.equal((await judge(files)).count, 1);
  const torn = Buffer.from('not packed by anything');
  files
    .set(`${DIRECTORY}/Packages.xz`, torn)
    .set('dists/s/Release', Buffer.from(`SHA256:\n ${hexOf(torn)} 22 main/binary-amd64/Packages.xz\n`));
  assert.deepEqual(
    (await judge(files)).contradictions.map(({ what }) => what),
    ['unreadable'],
  );
});

test('who asks for Debian by name is told that the program is not there', async () => {
  await assert.rejects(judge(archive({ '.xz': 'xz' }), { ...AUTO, kinds: ['debian'] }), { code: 'BAD_CONFIG', message: /no `xz`/ });
});
