/** A Debian archive of thousands of packages, each of a few bytes, and a sync of it that is stopped on its way. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { digestOf, put } from './files.ts';

const PACKAGES = 5000;
/** One package in so many has another version each time. */
const STEP = 50;

export const SUITE = 's';
export const INDEX = 'main/binary-amd64/Packages.gz';
/** Names of the packages that are replaced. */
export const REPLACED: readonly string[] = Array.from({ length: PACKAGES / STEP }, (_, i) => `p${i * STEP}`);

/**
 * Makes this version of the archive the newest one. A package of the one before it is gone.
 * @param version 1, then one more each time @param sign makes `InRelease` of its text
 */
export function publishLarge(dir: string, version: number, sign: (text: string) => string | Uint8Array = (text) => text): void {
  const stanzas: string[] = [];
  for (let i = 0; i < PACKAGES; i++) {
    const newest = i % STEP === 0 ? version : 1;
    const path = `pool/${i % 100}/p${i}_${newest}.deb`;
    const bytes = `package ${i} ${newest}`;
    if (version === 1 || newest > 1) put(join(dir, path), bytes);
    if (newest > 1) rmSync(join(dir, `pool/${i % 100}/p${i}_${newest - 1}.deb`));
    const control = `Package: p${i}\nVersion: ${newest}\nArchitecture: amd64\nMaintainer: Test <test@example.org>\nDescription: p\n`;
    stanzas.push(`${control}Filename: ${path}\nSize: ${bytes.length}\nSHA256: ${digestOf('sha256', bytes)}\n`);
  }
  const text = stanzas.join('\n');
  const index = gzipSync(text);
  put(join(dir, 'dists', SUITE, INDEX), index);
  // As Debian's own, it names the unpacked index too, which is not there: apt passes over an index of which it does not.
  const lines = [index, text].map((it, i) => ` ${digestOf('sha256', it)} ${it.length} ${i === 0 ? INDEX : INDEX.slice(0, -3)}\n`);
  const head = `Suite: ${SUITE}\nArchitectures: amd64\nComponents: main\nDate: ${new Date().toUTCString().replace('GMT', 'UTC')}\n`;
  put(join(dir, 'dists', SUITE, 'InRelease'), sign(`${head}SHA256:\n${lines.join('')}`));
}

/**
 * @param after as many names as rsync tells; then all processes of it end at once. A shell counts them and not this process, which may be
 * busy when it is time
 */
export async function syncStopped(from: string, to: string, after: number): Promise<void> {
  const script = 'rsync -a --delete --out-format=%n "$1/" "$2/" | { head -n "$3" >/dev/null; kill -KILL 0; }';
  const child = spawn('sh', ['-c', script, 'sh', from, to, `${after}`], { stdio: 'ignore', detached: true });
  await once(child, 'close');
}
