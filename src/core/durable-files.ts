/** What must survive a power cut: files and names, flushed in the order that makes them valid. */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, existsSync, fdatasync, fsyncSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cannotFlush, isBusy } from './errno.ts';
import { errnoOf } from './errors.ts';
import { removeFile, removeFileSync } from './remove-file.ts';

/** Flushes an open file. Where the file system does not know how to flush, this does nothing: that is no failure of the disk. */
export async function flush(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    if (!cannotFlush(errnoOf(error))) throw error;
  }
}

/** As `flush`, for what was appended to a file: its times may be lost. */
export async function flushData(fd: number): Promise<void> {
  try {
    await promisify(fdatasync)(fd);
  } catch (error) {
    if (!cannotFlush(errnoOf(error))) throw error;
  }
}

/** As `flush`, where the caller must not let anything else happen meanwhile. */
export function flushSync(fd: number): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!cannotFlush(errnoOf(error))) throw error;
  }
}

/** Removes a file that nobody needs any more. Where the file system does not remove files that are open, the file stays until that directory is swept again. */
export function removeUnlessBusy(path: string): void {
  try {
    removeFileSync(path);
  } catch (error) {
    if (!isBusy(errnoOf(error))) throw error;
  }
}

/** A FIFO that stands there, on a peer that homes share, holds up nobody: it cannot be flushed. */
const TO_FLUSH = constants.O_RDONLY | constants.O_NONBLOCK;

/** Flushes a file, or the names in a directory. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, TO_FLUSH);
  try {
    await flush(handle);
  } finally {
    await handle.close();
  }
}

/** Writes a small file: after a crash it is there whole or not at all. @param mode of a new file */
export async function writeDurably(path: string, text: string, mode = 0o644): Promise<void> {
  const fresh = `${path}.${randomUUID()}.new`;
  try {
    const handle = await open(fresh, 'wx', mode);
    try {
      await handle.writeFile(text);
      await flush(handle);
    } finally {
      await handle.close();
    }
    await rename(fresh, path);
  } catch (error) {
    await removeFile(fresh);
    throw error;
  }
  await syncPath(dirname(path));
  await sweepUnfinished(path).catch(() => {});
}

/** How what `writeDurably` writes first is called. */
const UNFINISHED = /\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.new$/;
/** Nobody writes a small file for longer. */
const UNFINISHED_MS = 3600_000;
/** Directories that this process has swept. */
const swept = new Set<string>();

/**
 * Removes what processes that died in `writeDurably` have left beside a file, once in each directory. Others may be writing there at this
 * moment: what is as young as the file stays. @param written the file, just written: its time is that of the file system
 */
async function sweepUnfinished(written: string): Promise<void> {
  const dir = dirname(written);
  if (swept.has(dir)) return;
  swept.add(dir);
  const { mtimeMs: now } = await stat(written);
  for (const name of await readdir(dir)) {
    if (!UNFINISHED.test(name)) continue;
    const path = join(dir, name);
    if (now - (await stat(path)).mtimeMs > UNFINISHED_MS) await removeFile(path);
  }
}

/** Linux writes no more than 2 GiB at once. */
const MOST_WRITTEN_BYTES = 2 ** 30;

/**
 * As `writeDurably`, where the caller must not let anything else happen meanwhile, and in directories where nobody else writes.
 * @param fresh where it is written first
 */
export function writeDurablySync(path: string, content: string | readonly Uint8Array[], fresh = `${path}.tmp`): void {
  // Never what a killed run has left there, or another name of it.
  removeFileSync(fresh);
  const fd = openSync(fresh, 'wx');
  try {
    for (const part of typeof content === 'string' ? [Buffer.from(content)] : content)
      for (let done = 0; done < part.length; ) done += writeSync(fd, part, done, Math.min(part.length - done, MOST_WRITTEN_BYTES));
    flushSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(fresh, path);
  syncDirectory(dirname(path));
}

/** Makes a directory in one that must exist: never its parents, which a disk that is not mounted would lack. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    throw error;
  }
  await syncPath(dirname(path));
}

/**
 * Makes a directory and those above it that are missing. Not by Node's `recursive`, which loops for ever where mkdir says ENOENT
 * although the directory above is there, as in /proc.
 * @returns the topmost directory that it made; undefined when it made none
 */
export function makeDirectories(path: string): string | undefined {
  if (isDirectory(path)) return undefined;
  const above = dirname(path);
  const first = above === path || existsSync(above) ? undefined : makeDirectories(above);
  try {
    mkdirSync(path);
  } catch (error) {
    // Another run has made it meanwhile.
    if (!isDirectory(path)) throw error;
    return first;
  }
  return first ?? path;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Flushes the names in a directory, where the caller must not let anything else happen meanwhile. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, TO_FLUSH);
  try {
    flushSync(fd);
  } finally {
    closeSync(fd);
  }
}
