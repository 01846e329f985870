/** What a mirror consists of, before it is measured on: how large it is, and which of its files are to look new. */
import { closeSync, type Dirent, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { ByteString } from '../../core/model.ts';
import { fsPath, joinBytes, toBytes } from '../../core/path-bytes.ts';

export interface Census {
  readonly files: number;
  /** Of files, as programs read them. */
  readonly bytes: number;
  /** What a copy takes on a disk at most, with a page for each entry. */
  readonly roomBytes: number;
  /** One file in a hundred, by its path from the mirror on. */
  readonly sample: readonly string[];
  /** There are entries of the name that is passed over. */
  readonly hasPassedOver: boolean;
}

const ONE_IN = 100;
const PAGE = 4096;
const PIECE = 1024 * 1024;
/** Paths that mean themselves in the lists of every tool. */
const PLAIN = /^[\w.+~@,=:/-]+$/;

/** @param passedOver the name of entries that are no part of the mirror, wherever they are */
export async function censusOf(source: string, passedOver: ByteString, signal: AbortSignal): Promise<Census> {
  const dir = toBytes(source);
  const found = { files: 0, bytes: 0, roomBytes: 0, hasPassedOver: false };
  const sample: string[] = [];
  let plain = 0;
  const passes = (name: ByteString) => {
    found.hasPassedOver ||= name === passedOver;
    return name === passedOver;
  };
  for await (const { path, entry } of entriesOf(dir, signal, passes)) {
    found.roomBytes += PAGE;
    if (!entry.isFile()) continue;
    const { size } = lstatSync(fsPath(joinBytes(dir, path)));
    found.files++;
    found.bytes += size;
    found.roomBytes += PAGE * Math.ceil(size / PAGE);
    if (PLAIN.test(path) && plain++ % ONE_IN === 0) sample.push(path);
  }
  return { ...found, sample };
}

/** Nothing in the mirror may be changed: what is to be new is left out of what a tool is given first. @returns why that cannot be done */
export function whyNothingNew({ sample, files }: Census, source: string): string | undefined {
  if (!PLAIN.test(source)) return 'the path of the mirror has letters that mean something else in a list of paths';
  if (sample.length === 0) return 'no file has a path that means itself in a list of paths';
  return sample.length === files ? 'there is one file' : undefined;
}

/** Reads everything once, so that the tool that comes first does not pay for a cold page cache alone. */
export async function warm(source: string, signal: AbortSignal): Promise<void> {
  const dir = toBytes(source);
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

/** All but the directory itself. @param passes whether entries of a name are passed over, with all that is in them */
async function* entriesOf(
  dir: ByteString,
  signal: AbortSignal,
  passes: (name: ByteString) => boolean = () => false,
): AsyncGenerator<{ readonly path: ByteString; readonly entry: Dirent }> {
  const waiting: ByteString[] = [''];
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    // A signal is heard between two directories.
    await setImmediate();
    signal.throwIfAborted();
    for (const entry of readdirSync(fsPath(joinBytes(dir, below)), { withFileTypes: true, encoding: 'latin1' })) {
      if (passes(entry.name)) continue;
      const path = joinBytes(below, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      yield { path, entry };
    }
  }
}
