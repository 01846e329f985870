/** What Node cannot unpack itself, unpacked by the programs that apt uses; loaded when there is such an index. */
import { spawn, spawnSync } from 'node:child_process';
import { Readable } from 'node:stream';
import { errnoOf } from '../../core/errors.ts';
import { NoUnpacker, UnreadableIndex } from '../claims/claim.ts';

/** End of the name → the program that unpacks standard input. */
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

/** @param packing an end of a name that PROGRAMS has @throws UnreadableIndex @throws NoUnpacker */
export async function* byProgram(packing: string, packed: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
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

/** Whether there is a program of this name that unpacks anything. */
export function canUnpack(program: string): boolean {
  return Object.entries(PROGRAMS).some(([packing, [name]]) => name === program && works(packing));
}

function works(packing: string): boolean {
  const [program, ...args] = PROGRAMS[packing] as [string];
  return (
    spawnSync(program, args, { input: Buffer.from(PACKED_NOTHING[packing] ?? '', 'hex'), stdio: ['pipe', 'ignore', 'ignore'] }).status === 0
  );
}
