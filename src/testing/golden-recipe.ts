/**
 * The trees whose CIDs Kubo computed (fixtures/golden): each is made anew on disk from its recipe, the same every time.
 * Trees of directories and symlinks also fix modes and times, where `metadata` says so.
 */
import { spawnSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { chmodSync, closeSync, ftruncateSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import type { ByteString } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Recipes by name: each fills an empty directory. */
const RECIPES: Readonly<Record<string, (dir: string) => void>> = {
  'file-0': (dir) => file(dir, 'file', 0),
  'file-1': (dir) => file(dir, 'file', 1),
  'file-256k-1': (dir) => file(dir, 'file', 256 * KIB - 1),
  'file-256k': (dir) => file(dir, 'file', 256 * KIB),
  'file-256k+1': (dir) => file(dir, 'file', 256 * KIB + 1),
  'file-1m-1': (dir) => file(dir, 'file', MIB - 1),
  'file-1m': (dir) => file(dir, 'file', MIB),
  'file-1m+1': (dir) => file(dir, 'file', MIB + 1),
  'file-3m': (dir) => file(dir, 'file', 3 * MIB),
  /** 1024 and 1025 chunks of 1 KiB; 174 and 175 of 6 KiB and some. */
  'file-1m-of-1k': (dir) => file(dir, 'file', 1024 * KIB),
  'file-1m-of-1k+1': (dir) => file(dir, 'file', 1024 * KIB + 1),
  /** 174² chunks of 64 bytes, and one more: the third level of nodes. */
  'file-174x174': (dir) => file(dir, 'file', 174 * 174 * 64),
  'file-174x174+1': (dir) => file(dir, 'file', 174 * 174 * 64 + 1),
  'zeros-1024m': (dir) => zeros(dir, 'file', 1024 * MIB),
  'zeros-1025m': (dir) => zeros(dir, 'file', 1025 * MIB),
  /** A size that does not fit a signed number of 32 bits. */
  'zeros-3072m': (dir) => zeros(dir, 'file', 3072 * MIB),

  'empty-directory': () => {},
  'empty-directories': (dir) => directories(dir, ['a', 'a/b', 'c', 'c/d', 'c/d/e', 'z']),
  'deep-100': (dir) => {
    const path = Array.from({ length: 100 }, (_, i) => `d${i}`);
    directories(
      dir,
      path.map((_, i) => path.slice(0, i + 1).join('/')),
    );
    file(dir, `${path.join('/')}/file`, 100);
  },
  symlinks: (dir) => {
    symlink(dir, 'dangling', 'no/such/file');
    symlink(dir, 'absolute', '/usr/share/doc');
    symlink(dir, 'self', '.');
    symlink(dir, 'up', '../../..');
    symlink(dir, 'long', '0123456789abcde/'.repeat(255));
    symlink(dir, 'utf-8', utf8('größe/日本'));
    symlink(dir, 'not-utf-8', 'gro\xdf/\xff\xfe');
    symlink(dir, 'control', 'a\n\tb\x01');
  },
  names: (dir) => {
    for (const [i, name] of NAMES.entries()) file(dir, name, i);
  },
  /** Link order, Tsize of one to three bytes, and the same content twice. */
  mixed: (dir) => {
    directories(dir, ['pool', 'pool/a', 'pool.d', 'pool-x', 'empty']);
    for (const [i, name] of ['pool/a/one', 'pool/a/two', 'pool.d/x', 'pool-x/y', 'pool/z', 'a.txt', 'B.txt'].entries()) {
      file(dir, name, 10 ** (i % 6));
    }
    file(dir, 'twin-1', 5000, 'twin');
    file(dir, 'twin-2', 5000, 'twin');
    symlink(dir, 'latest', 'pool/a');
  },

  // A plain directory of exactly 262,144 bytes: 4 for its data, and 60 for each link to an empty file of a 16-byte name.
  'block-under': (dir) => emptyFiles(dir, 4369, 16, 15),
  'block-at': (dir) => emptyFiles(dir, 4369, 16, 16),
  'block-over': (dir) => emptyFiles(dir, 4369, 16, 17),
  // The same with directories: their links are first made for empty ones, and grow by the second byte of Tsize.
  'block-at-directories': (dir) => filledDirectories(dir, 4369, 15, 15),
  'block-over-directories': (dir) => filledDirectories(dir, 4369, 15, 16),
  // Names and CIDs of exactly 262,144 bytes: a CIDv0 of 34 and a name of 30.
  'links-under': (dir) => emptyFiles(dir, 4096, 30, 29),
  'links-at': (dir) => emptyFiles(dir, 4096, 30, 30),
  'links-over': (dir) => emptyFiles(dir, 4096, 30, 31),
  'entries-10000': (dir) => emptyFiles(dir, 10_000, 20, 20),
  'entries-100000': (dir) => emptyFiles(dir, 100_000, 12, 12),
  /** Names that share 1, 3, 5, 6 and 7 bytes of their HAMT hashes. */
  'hamt-deep': (dir) => {
    emptyFiles(dir, 6000, 16, 16);
    for (const name of CLOSE_NAMES) file(dir, name, 1);
  },
  'hamt-names': (dir) => {
    emptyFiles(dir, 6000, 16, 16);
    for (const [i, name] of NAMES.entries()) file(dir, name, i);
    directories(dir, ['directory', 'directory/empty']);
    symlink(dir, 'symlink', 'directory');
  },

  metadata: (dir) => {
    for (const [i, mtime] of MTIMES.entries()) {
      symlink(dir, `symlink-${i}`, mtime);
      touch(`${dir}/symlink-${i}`, mtime);
      directories(dir, [`directory-${i}`]);
      file(dir, `empty-${i}`, 0);
      chmodSync(`${dir}/empty-${i}`, MODES[i % MODES.length] as number);
      touch(`${dir}/empty-${i}`, mtime);
    }
    directories(dir, ['nested', 'nested/inner']);
    touch(`${dir}/nested/inner`, '1700000000.000000001');
    touch(`${dir}/nested`, '1600000000');
    for (const [i, mtime] of MTIMES.entries()) {
      chmodSync(`${dir}/directory-${i}`, MODES[i % MODES.length] as number);
      touch(`${dir}/directory-${i}`, mtime);
    }
    setTimes(dir);
  },
  'metadata-large': (dir) => {
    file(dir, 'file', 3 * MIB);
    chmodSync(`${dir}/file`, 0o640);
    touch(`${dir}/file`, '1234567890.123456789');
    setTimes(dir);
  },
  // The directory's own metadata count towards the 262,144 bytes: 3 for its mode and 13 for its mtime.
  'metadata-block-at': (dir) => datedSymlinks(dir, 4443, 15, 2),
  'metadata-block-over': (dir) => datedSymlinks(dir, 4443, 15, 3),
};

export const RECIPE_NAMES: readonly string[] = Object.keys(RECIPES);

/** Makes the tree of a recipe. @param dir where; it is created */
export function makeCase(name: string, dir: string): void {
  const recipe = RECIPES[name];
  if (recipe === undefined) throw new Error(`no recipe "${name}"`);
  mkdirSync(dir, { recursive: true });
  recipe(dir);
}

const NAMES: readonly ByteString[] = [
  'with space',
  ' ',
  'new\nline',
  'tab\tand\rreturn',
  'back\\slash',
  '-leading-dash',
  '.hidden',
  '...',
  '%41',
  '"quoted\'',
  '*?[a]',
  '\x01\x7f',
  utf8('\u{1F600}'),
  // JavaScript would sort this one after the emoji, bytes put it before.
  utf8('\uFFFD'),
  utf8('e\u0301'),
  utf8('\u00e9'),
  'gro\xdf',
  '\xff\xfe',
  '\xed\xa0\x80',
  'a',
  'ab',
  'abc',
  'x'.repeat(255),
  '\xe9'.repeat(255),
];

/** Sixteen bytes each, whose murmur3-x64-64 is 42a1b2c3d4e5f600, …f601, …f6ff, 42a1b2c3d4e50001 and 42a1b20000000000. */
export const CLOSE_NAMES: readonly ByteString[] = [
  '3bf8056094fb72293c154d9d5d99c6ef',
  '31210acb79abedc0f58540ef4290f5de',
  'b9652be1edcc586d3846ccf4d1cfbcaf',
  '57eea797543a3a3be63775e6fce863cf',
  'c452e09347eabe9b06f5cd1e0cc6d4de',
].map((hex) => Buffer.from(hex, 'hex').toString('latin1'));

/** Two names with the same murmur3-x64-64: 1111111111111111. */
export const SAME_HASH_NAMES: readonly ByteString[] = ['1cccbdde62056710d1e97180f38fdf28', '233ea7885b67cd327f538e63c9ef30d5'].map((hex) =>
  Buffer.from(hex, 'hex').toString('latin1'),
);

/** Seconds and nanoseconds since 1970, as `touch -d @…` takes them. */
const MTIMES: readonly string[] = [
  '0',
  '1',
  '-1',
  '-0.000000001',
  '-1000000000.5',
  '1700000000',
  '1700000000.999999999',
  '3000000000',
  '4294967296.5',
  '0.000000001',
];
const MODES: readonly number[] = [0o755, 0o644, 0o700, 0o1777, 0o2775, 0o4711, 0o555];

function file(dir: string, name: ByteString, bytes: number, seed: string = name): void {
  writeFileSync(join(dir, name), noise(bytes, seed));
}

/** Bytes that look random and are the same every time: a key stream of AES. */
function noise(bytes: number, seed: string): Buffer {
  const key = Buffer.alloc(16);
  key.write(seed.slice(0, 16), 'latin1');
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

function zeros(dir: string, name: ByteString, bytes: number): void {
  const fd = openSync(join(dir, name), 'w');
  ftruncateSync(fd, bytes);
  closeSync(fd);
}

function symlink(dir: string, name: ByteString, target: ByteString): void {
  symlinkSync(fsPath(target), join(dir, name));
}

function directories(dir: string, names: readonly ByteString[]): void {
  for (const name of names) mkdirSync(join(dir, name), { mode: 0o755 });
}

/** Names of one length, and one of another after them. */
function numbered(count: number, nameBytes: number, lastNameBytes: number): ByteString[] {
  return [...Array.from({ length: count - 1 }, (_, i) => `n${String(i).padStart(nameBytes - 1, '0')}`), 'z'.repeat(lastNameBytes)];
}

function emptyFiles(dir: string, count: number, nameBytes: number, lastNameBytes: number): void {
  for (const name of numbered(count, nameBytes, lastNameBytes)) file(dir, name, 0);
}

function filledDirectories(dir: string, count: number, nameBytes: number, lastNameBytes: number): void {
  for (const name of numbered(count, nameBytes, lastNameBytes)) {
    directories(dir, [name]);
    file(dir, `${name}/file`, 200, 'file');
  }
}

function datedSymlinks(dir: string, count: number, nameBytes: number, lastNameBytes: number): void {
  const names = numbered(count, nameBytes, lastNameBytes);
  for (const name of names) symlink(dir, name, 'target');
  touch(
    names.map((name) => `${dir}/${name}`),
    '1400000000.5',
  );
  setTimes(dir);
}

/** Node sets times in milliseconds, and not those of symlinks: coreutils do it to the nanosecond. */
function touch(paths: string | readonly string[], mtime: string): void {
  const { status, stderr } = spawnSync('touch', ['-h', '-m', '-d', `@${mtime}`, ...[paths].flat()]);
  if (status !== 0) throw new Error(`touch: ${stderr}`);
}

/** The directory's own metadata, set last: making its entries changes them. */
function setTimes(dir: string): void {
  chmodSync(dir, 0o755);
  touch(dir, '1500000000.25');
}

function utf8(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function join(dir: string, name: ByteString): string | Buffer {
  return fsPath(`${utf8(dir)}/${name}`);
}
