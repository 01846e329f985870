/** What a mirror consists of, before it is measured on: how large it is, and which of its files are to look new. */
import { closeSync, type Dirent, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { ByteString } from '../../core/model.ts';
import { fsPath, joinBytes } from '../../core/path-bytes.ts';

export interface Survey {
  readonly files: number;
  readonly directories: number;
  /** Of files, as programs read them. */
  readonly bytes: number;
  /** What a copy takes on a disk at most, with a page for each entry. */
  readonly roomBytes: number;
  /** One file in a hundred, from the top of the mirror. */
  readonly sample: readonly string[];
  readonly sampleBytes: number;
}

const ONE_IN = 100;
const PAGE = 4096;
const PIECE = 1024 * 1024;
/** Names that mean themselves in the lists of every tool. */
const PLAIN = /^[\w.+~@,=:/-]+$/;

export async function surveyOf(dir: ByteString, signal: AbortSignal): Promise<Survey> {
  const found = { files: 0, directories: 0, bytes: 0, roomBytes: 0, sampleBytes: 0 };
  const sample: string[] = [];
  let plain = 0;
  for await (const { path, entry } of entriesOf(dir, signal)) {
    found.roomBytes += PAGE;
    if (entry.isDirectory()) found.directories++;
    if (!entry.isFile()) continue;
    const { size } = lstatSync(fsPath(joinBytes(dir, path)));
    found.files++;
    found.bytes += size;
    found.roomBytes += PAGE * Math.ceil(size / PAGE);
    if (!PLAIN.test(path) || plain++ % ONE_IN !== 0) continue;
    sample.push(path);
    found.sampleBytes += size;
  }
  return { ...found, sample };
}

/** Reads everything once, so that the tool that comes first does not pay for a cold page cache alone. */
export async function warm(dir: ByteString, signal: AbortSignal): Promise<void> {
  const piece = Buffer.allocUnsafe(PIECE);
  for await (const { path, entry } of entriesOf(dir, signal)) {
    if (!entry.isFile()) continue;
    const file = openSync(fsPath(joinBytes(dir, path)), 'r');
    try {
      while (readSync(file, piece) > 0) signal.throwIfAborted();
    } finally {
      closeSync(file);
    }
  }
}

/** All but the directory itself. */
async function* entriesOf(dir: ByteString, signal: AbortSignal): AsyncGenerator<{ readonly path: ByteString; readonly entry: Dirent }> {
  const waiting: ByteString[] = [''];
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    // A signal is heard between two directories.
    await setImmediate();
    signal.throwIfAborted();
    for (const entry of readdirSync(fsPath(joinBytes(dir, below)), { withFileTypes: true, encoding: 'latin1' })) {
      const path = joinBytes(below, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      yield { path, entry };
    }
  }
}

export function isPlain(path: string): boolean {
  return PLAIN.test(path);
}
