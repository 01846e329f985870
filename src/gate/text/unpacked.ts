/**
 * The bytes of an index without its compression, by the end of its name. gzip by node:zlib; zstd too where Node has it (22.15 and later);
 * xz and the others by their programs, as apt does. What a stranger has packed may unpack to more than anybody can read: MOST_UNPACKED
 * bytes are given out, and no more than a few buffers are in memory.
 */
import { spawn, spawnSync } from 'node:child_process';
import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { errnoOf } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { NoUnpacker, UnreadableIndex } from '../claims/claim.ts';

/** The largest real ones (`Contents` of all of Debian, `primary.xml` of Fedora) unpack to less than 1 GB. */
const MOST_UNPACKED = 4 * 1024 ** 3;

/** End of the name → the program that unpacks standard input. First those that most machines have. */
const PROGRAMS: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  '.xz': ['xz', '-dcq', '--format=xz', '--memlimit-decompress=1GiB'],
  '.zst': ['zstd', '-dcq', '--memory=1024MB'],
  '.bz2': ['bzip2', '-dcq'],
  '.lzma': ['xz', '-dcq', '--format=lzma', '--memlimit-decompress=1GiB'],
  '.lz4': ['lz4', '-dcq'],
};

/** What each of them makes of no bytes at all, in hex: one that cannot unpack this cannot unpack anything. */
const PACKED_NOTHING: Readonly<Record<string, string>> = {
  '.xz': 'fd377a585a000004e6d6b446000000001cdf44211fb6f37d010000000004595a',
  '.zst': '28b52ffd240001000099e9d851',
  '.bz2': '425a683917724538509000000000',
  '.lzma': '5d00008000ffffffffffffffff0083fffbffffc0000000',
  '.lz4': '04224d186440a700000000055dcc02',
};

/** Ends of names that can be read, in the order in which one of several is chosen; the empty one is of what is not packed. */
export const PACKED: readonly string[] = ['', '.gz', ...Object.keys(PROGRAMS)];

/** What comes after the name that a file would have unpacked: one of PACKED. */
export function packingOf(path: ByteString): string {
  return PACKED.find((end) => end !== '' && path.endsWith(end)) ?? '';
}

/** @throws UnreadableIndex when these are no bytes that it can unpack @throws NoUnpacker */
export async function* unpacked(packing: string, packed: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let given = 0;
  for await (const part of unpackedBy(packing, packed, signal)) {
    given += part.length;
    if (given > MOST_UNPACKED) throw new UnreadableIndex('unpacks to more than 4 GiB');
    yield part;
  }
}

async function* unpackedBy(packing: string, packed: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (packing === '') return yield* packed;
  if (packing === '.gz') return yield* through(zlib.createGunzip(), packed);
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => NodeJS.ReadWriteStream & Readable };
  if (packing === '.zst' && createZstdDecompress !== undefined) return yield* through(createZstdDecompress(), packed);
  yield* byProgram(packing, packed, signal);
}

/** @param unpacker a stream of Node that fails at what it cannot read */
async function* through(unpacker: NodeJS.ReadWriteStream & Readable, packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(packed, { objectMode: false });
  let failure: unknown;
  source.once('error', (error) => {
    failure = error;
    unpacker.destroy(error);
  });
  source.pipe(unpacker);
  try {
    for await (const part of unpacker) yield part as Uint8Array;
  } catch (error) {
    throw failure ?? (isUnpackers(error) ? new UnreadableIndex('cannot be unpacked') : error);
  } finally {
    source.destroy();
    unpacker.destroy();
  }
}

/** Errors of node:zlib; any other is thrown by whoever takes the bytes. */
function isUnpackers(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^(?:Z_|ZSTD_|ERR_)/.test(code);
}

async function* byProgram(packing: string, packed: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const [program, ...args] = PROGRAMS[packing] as [string];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], signal, killSignal: 'SIGKILL' });
  let failure: unknown;
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      failure = error;
      resolve(null);
    });
    child.once('close', resolve);
  });
  // A program that ends before it has read everything closes the pipe; its exit code says why.
  child.stdin.on('error', () => {});
  const source = Readable.from(packed, { objectMode: false });
  source.once('error', (error) => {
    failure = error;
    child.kill('SIGKILL');
  });
  source.pipe(child.stdin);
  try {
    for await (const part of child.stdout) yield part as Uint8Array;
    const code = await ended;
    if (failure !== undefined)
      throw errnoOf(failure) === 'ENOENT' || errnoOf(failure) === 'EACCES' ? new NoUnpacker(program, failure) : failure;
    // It was killed, by the kernel for its memory perhaps; or it is another program of this name, such as that of BusyBox.
    if (code === null || (code !== 0 && !works(packing))) throw new NoUnpacker(program);
    if (code !== 0) throw new UnreadableIndex('cannot be unpacked');
  } finally {
    source.destroy();
    child.kill('SIGKILL');
  }
}

function works(packing: string): boolean {
  const [program, ...args] = PROGRAMS[packing] as [string];
  return (
    spawnSync(program, args, { input: Buffer.from(PACKED_NOTHING[packing] ?? '', 'hex'), stdio: ['pipe', 'ignore', 'ignore'] }).status === 0
  );
}
