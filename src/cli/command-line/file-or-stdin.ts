/** Reads a file that the command line names, where `-` is stdin. */
import { readFileSync, readSync } from 'node:fs';
import { errnoOf } from '../../core/errors.ts';
import type { Absolute } from './surroundings.ts';

const STDIN = 0;
const CHUNK_BYTES = 1 << 16;
/** Whoever writes has not gone on yet. */
const PAUSE_MS = 5;

/** @throws the system call's error */
export function readFileOrStdin(file: string, absolute: Absolute): Buffer {
  return file === '-' ? readStdin() : readFileSync(absolute(file));
}

/** The program that is at its other end may have made it one that does not block: then a read fails as long as nothing is there. */
function readStdin(): Buffer {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    try {
      const bytes = readSync(STDIN, chunk);
      if (bytes === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, bytes));
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}
