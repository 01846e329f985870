/** A mirror by recipe, as large as one likes: thousands of small packages, some large ones, and whatever else trees have. */
import { createCipheriv } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadLibc } from '../core/libc.ts';

const MIB = 1024 * 1024;
const LARGEST = 96 * MIB;
const MOST_SMALL = 4000;
/** With names of this length enough for a HAMT directory. Many of them are the same file, or strangers would be at its blocks for a minute. */
const CROWD = 900;
const CROWD_KINDS = 30;

const FILE_MODES = [0o644, 0o755, 0o600, 0o4755, 0o444, 0o2640];
const DIRECTORY_MODES = [0o755, 0o2775, 0o700, 0o1777];
/** Long ago, before that, far ahead, and to the nanosecond. */
const TIMES = [
  1_000_000_000_000_000_001n,
  -1_500_000_000n,
  4_000_000_000_123_456_789n,
  1_700_000_000_999_999_999n,
  1_600_000_000_000_000_000n,
];

/** Writes the mirror below `dir`. The same size gives the same tree. @returns `dir` */
export async function writeMirror(dir: string, megabytes: number): Promise<string> {
  const files: string[] = [];
  const links: string[] = [];
  const directories = new Set<string>([dir]);
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'mirror'), Buffer.alloc(16));
  const place = (name: string): string => {
    const path = join(dir, name);
    for (let above = dirname(path); !directories.has(above); above = dirname(above)) directories.add(above);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  };
  const write = (name: string, bytes: number) => {
    const path = place(name);
    files.push(path);
    const fd = openSync(path, 'w');
    for (let left = bytes; left > 0; left -= MIB) writeSync(fd, noise.update(Buffer.alloc(Math.min(left, MIB))));
    closeSync(fd);
  };
  const link = (name: string, target: string) => {
    const path = place(name);
    links.push(path);
    symlinkSync(target, path);
  };

  let left = megabytes * MIB;
  for (let i = 0; i < Math.min(MOST_SMALL, megabytes * 20); i++) {
    const bytes = (i * 7919) % 60_000;
    write(`pool/${'abcdefghij'[i % 10]}/package-${i}/package_${i}.${i % 7}_amd64.deb`, bytes);
    left -= bytes;
  }
  for (let i = 0; i < CROWD; i++) {
    const path = place(`crowded/${'a-very-long-name-'.repeat(14)}${i}`);
    writeFileSync(path, `${i % CROWD_KINDS}`);
    files.push(path);
  }
  for (let i = 0; left > 0; i++) {
    const bytes = Math.min(left, LARGEST, Math.ceil((megabytes * MIB) / (i + 3)));
    write(`images/disk-${i}.iso`, bytes);
    left -= bytes;
  }
  write('empty', 0);
  write('.hidden/with space', 100);
  write('dists/bookworm/naïve name', 70_000);
  mkdirSync(place('.hidden/empty'));
  directories.add(join(dir, '.hidden/empty'));
  link('dists/stable', 'bookworm');
  link('dists/dangling', '/nowhere/at/all');
  writeFileSync(place('dists/bookworm/Release'), 'Suite: stable\n');
  files.push(join(dir, 'dists/bookworm/Release'));

  const libc = await loadLibc();
  const setTime = (path: string, i: number) =>
    libc?.setMtime(Buffer.from(path), (TIMES[i % TIMES.length] as bigint) + BigInt(i % CROWD_KINDS));
  for (const [i, path] of files.entries()) {
    chmodSync(path, FILE_MODES[i % FILE_MODES.length] as number);
    setTime(path, i);
  }
  for (const [i, path] of links.entries()) setTime(path, i);
  for (const [i, path] of [...directories].entries()) {
    chmodSync(path, DIRECTORY_MODES[i % DIRECTORY_MODES.length] as number);
    setTime(path, i);
  }
  return dir;
}
