/**
 * Reading files where others may write, too, as on a local peer that homes share. What stands in a file's place may be anything: a FIFO
 * holds up for ever whoever opens it as a file, on the main thread the whole program, and to open a device may set it going. So what is no
 * regular file, or no symlink to one, is not there: errors have the errno ENOENT then.
 */
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf } from './errors.ts';

/** Without a pause: a FIFO opens at once, and is then seen to be one. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** First without following a symlink, which is looked at before it is followed: it may lead to a device. */
const READ_ITSELF = READ | constants.O_NOFOLLOW;
/** What opening a symlink, a circle of symlinks or a socket gives. */
const MAY_BE_NO_FILE = new Set(['ELOOP', 'EMLINK', 'ENXIO']);

/** Opens a file for reading by offset. @returns its descriptor, to be closed, and how many bytes it had. @throws Error with an errno */
export function openRegularSync(path: string): { readonly fd: number; readonly size: number } {
  const fd = openedSync(path);
  try {
    const found = fstatSync(fd);
    if (found.isFile()) return { fd, size: found.size };
    throw noFile(path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openedSync(path: string): number {
  try {
    return openSync(path, READ_ITSELF);
  } catch (error) {
    if (!MAY_BE_NO_FILE.has(errnoOf(error) ?? '')) throw error;
    if (!isFile(path)) throw noFile(path);
    return openSync(path, READ);
  }
}

/** Reads a file. @param most bytes: of a longer one only the first are read @throws Error with an errno */
export async function readRegular(path: string, most: number): Promise<Buffer> {
  return await readFrom(await opened(path), path, most);
}

/** As `readRegular`, and a symlink is no file: for what whoever made it must not choose, as it may be for this user alone. */
export async function readRegularItself(path: string, most: number): Promise<Buffer> {
  return await readFrom(await openedItself(path), path, most);
}

async function readFrom(handle: FileHandle, path: string, most: number): Promise<Buffer> {
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw noFile(path);
    const bytes = Buffer.allocUnsafe(Math.min(found.size, most));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } finally {
    await handle.close();
  }
}

async function openedItself(path: string): Promise<FileHandle> {
  try {
    return await open(path, READ_ITSELF);
  } catch (error) {
    throw MAY_BE_NO_FILE.has(errnoOf(error) ?? '') ? noFile(path) : error;
  }
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, READ_ITSELF);
  } catch (error) {
    if (!MAY_BE_NO_FILE.has(errnoOf(error) ?? '')) throw error;
    if (!isFile(path)) throw noFile(path);
    return await open(path, READ);
  }
}

/** Of what a symlink leads to. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') return false;
    throw error;
  }
}

function noFile(path: string): Error {
  return Object.assign(new Error(`ENOENT: what is there is no file, open '${path}'`), { code: 'ENOENT' });
}
