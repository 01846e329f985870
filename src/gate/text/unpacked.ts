/**
 * The bytes of an index without its compression, by the end of its name. gzip by node:zlib; xz, zstd and the others by their programs, as apt does.
 * Node's own zstd is not used: Node 22.23 takes a file that is cut for a whole one, and 24.21 reads only the first of several frames. What a stranger has packed may unpack to more than anybody can read: MOST_UNPACKED
 * bytes are given out, and no more than a few buffers are in memory.
 */
import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import type { ByteString } from '../../core/model.ts';
import { UnreadableIndex } from '../claims/claim.ts';

/** The largest real ones (`Contents` of all of Debian, `primary.xml` of Fedora) unpack to less than 1 GB. */
const MOST_UNPACKED = 4 * 1024 ** 3;
/** Bytes that zlib gives at once: its default of 16 KiB makes ten times the turns of the event loop. */
const CHUNK_BYTES = 256 * 1024;
/** Of gzip, packed and unpacked: others wait for 40 ms meanwhile. */
const MOST_AT_ONCE = 1024 ** 2;
const MOST_UNPACKED_AT_ONCE = 8 * 1024 ** 2;

/** Ends of names that can be read; of several the first is chosen, which more machines can unpack. The empty one is of what is not packed. */
export const PACKED: readonly string[] = ['', '.gz', '.xz', '.zst', '.bz2', '.lzma', '.lz4'];

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
  if (packing === '.gz') return yield* gunzipped(packed);
  const { byProgram } = await import('./by-program.ts');
  yield* byProgram(packing, packed, signal);
}

/**
 * A small index is unpacked at once, which takes half of what a stream takes in a process that has just started. What cannot be unpacked is
 * given out as far as it goes, by a stream; so is what unpacks to too much.
 */
async function* gunzipped(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = packed[Symbol.asyncIterator]();
  const parts: Uint8Array[] = [];
  let length = 0;
  let isWhole = false;
  const all = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* parts;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  };
  while (!isWhole && length <= MOST_AT_ONCE) {
    const { done, value } = await iterator.next();
    isWhole = done === true;
    if (done !== true) length += parts[parts.push(value) - 1]?.length ?? 0;
  }
  const bytes = isWhole ? unpackedAtOnce(Buffer.concat(parts)) : undefined;
  if (bytes === undefined) yield* through(zlib.createGunzip({ chunkSize: CHUNK_BYTES }), all());
  else yield bytes;
}

/** @returns undefined where that does not work */
function unpackedAtOnce(packed: Buffer): Buffer | undefined {
  try {
    // The last four bytes say how long it is (RFC 1952), so that it comes in one piece. A lie makes several of it.
    const length = Math.min(packed.readUInt32LE(packed.length - 4), MOST_UNPACKED_AT_ONCE);
    return zlib.gunzipSync(packed, { maxOutputLength: MOST_UNPACKED_AT_ONCE, chunkSize: Math.max(CHUNK_BYTES, length + 64) });
  } catch {
    return undefined;
  }
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
  return typeof code === 'string' && /^(?:Z_|ERR_)/.test(code);
}
