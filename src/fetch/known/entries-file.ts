/**
 * `OUT/.shardctl-fetch/entries`: what a run has put into OUT, as columns that are read and written as they are; a million entries are 115 MB
 * and take 0.2 s to read, 0.12 s to write. A line of text,
 *
 *   shardctl-fetch 2 LE <CID of the tree> <special|plain> <sha256 of the filters> <directories> <bytes of their paths> <entries> <bytes of their names>
 *
 * filled up with spaces to a multiple of 8 bytes; then, each of all rows: three doubles (size, seconds of mtime and of ctime), the end of the
 * name (double); of all directories: their first row, the end of their path (doubles); of all rows: four words (nanoseconds of mtime and
 * ctime, the halves of the inode number), digest, kind; the paths, the names; the sha256 of all before it. A file that is torn, of another
 * format or of a machine with another order of bytes counts as none: then OUT is hashed.
 */
import { createHash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { writeDurablySync } from '../../core/durable-files.ts';
import { type ByteString, DIGEST_BYTES } from '../../core/model.ts';
import { openRegularSync } from '../../core/regular-files.ts';
import { DOUBLES, EntryColumns, WORDS } from './entry-columns.ts';
import { type KnownDirectory, KnownEntries, type Told } from './known-entries.ts';

const FORMAT = `shardctl-fetch 2 ${endianness()}`;
const HEAD = new RegExp(`^${FORMAT} (\\w+) (special|plain) (\\w+) (\\d+) (\\d+) (\\d+) (\\d+) *\\n`);
const MOST_HEAD_BYTES = 1024;
const HASH_BYTES = 32;
const DOUBLE_BYTES = 8;
const WORD_BYTES = 4;

/** @param directory fetch's own, in OUT */
export function readEntries(directory: string): KnownEntries {
  try {
    return parse(bytesOf(join(directory, 'entries'))) ?? new KnownEntries();
  } catch {
    return new KnownEntries();
  }
}

/** @param told `filters` in letters and digits @param directories in the order of their rows @throws ShardctlError `IO`, `NO_SPACE` */
export function saveEntries(
  directory: string,
  tree: string,
  told: Told,
  columns: EntryColumns,
  directories: readonly { readonly path: ByteString; readonly first: number }[],
): void {
  const { doubles, nameEnds, words, digests, kinds, names } = columns.columns;
  const paths = Buffer.from(directories.map(({ path }) => path).join(''), 'latin1');
  const firsts = Float64Array.from(directories, ({ first }) => first);
  let end = 0;
  const pathEnds = Float64Array.from(directories, ({ path }) => (end += path.length));
  const line = [
    ...[FORMAT, tree, told.specialBits ? 'special' : 'plain', told.filters],
    ...[directories.length, paths.length, columns.count, names.length],
  ].join(' ');
  const head = Buffer.from(`${line.padEnd(Math.ceil((line.length + 1) / DOUBLE_BYTES) * DOUBLE_BYTES - 1)}\n`);
  const parts = [head, ...[doubles, nameEnds, firsts, pathEnds, words, digests, kinds, paths, names].map(bytesIn)];
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  writeDurablySync(join(directory, 'entries'), [...parts, hash.digest()]);
}

function parse(file: Buffer): KnownEntries | undefined {
  const head = file.toString('latin1', 0, Math.min(file.length, MOST_HEAD_BYTES)).match(HEAD);
  if (head === null) return undefined;
  const [line, tree, bits, filters = '', ...numbers] = head;
  const [directoryCount = 0, pathBytes = 0, count = 0, nameBytes = 0] = numbers.map(Number);
  let at = line.length;
  const next = (bytes: number) => {
    at += bytes;
    return file.subarray(at - bytes, at);
  };
  const doublesIn = (length: number) =>
    new Float64Array(file.buffer, file.byteOffset + at, next(length * DOUBLE_BYTES).length / DOUBLE_BYTES);
  const doubles = doublesIn(count * DOUBLES);
  const nameEnds = doublesIn(count);
  const firsts = doublesIn(directoryCount);
  const pathEnds = doublesIn(directoryCount);
  const words = new Uint32Array(file.buffer, file.byteOffset + at, next(count * WORDS * WORD_BYTES).length / WORD_BYTES);
  const columns = { doubles, nameEnds, words, digests: next(count * DIGEST_BYTES), kinds: next(count) };
  const paths = next(pathBytes);
  const names = next(nameBytes);
  if (at + HASH_BYTES !== file.length || !createHash('sha256').update(file.subarray(0, at)).digest().equals(file.subarray(at)))
    return undefined;
  const directories = [...firsts].map((first, i): KnownDirectory => {
    const path = paths.toString('latin1', i === 0 ? 0 : pathEnds[i - 1], pathEnds[i]);
    return { path, first, end: firsts[i + 1] ?? count };
  });
  return new KnownEntries(tree, { filters, specialBits: bits === 'special' }, new EntryColumns({ ...columns, names }), directories);
}

/** The whole file, at the beginning of memory of its own, because columns of doubles must lie at multiples of eight. */
function bytesOf(path: string): Buffer {
  const { fd, size } = openRegularSync(path);
  try {
    const file = Buffer.allocUnsafeSlow(size);
    for (let at = 0; at < file.length; ) {
      const bytes = readSync(fd, file, at, Math.min(file.length - at, 2 ** 30), at);
      if (bytes === 0) throw new Error('it was cut while it was read');
      at += bytes;
    }
    return file;
  } finally {
    closeSync(fd);
  }
}

function bytesIn({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
