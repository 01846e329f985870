/** A shard's CAR as a file that is read by offset, and the errors for when it cannot be read. */
import { closeSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { isGone } from '../../../core/errno.ts';
import { errnoOf, ioError, ShardctlError } from '../../../core/errors.ts';
import { openRegularSync } from '../../../core/regular-files.ts';

const readAsync = promisify(read);

/** @throws ShardctlError `NOT_FOUND` when there is no such file */
export function openFile(path: string, cid: string): CarFile {
  try {
    return new CarFile(path);
  } catch (error) {
    if (isGone(errnoOf(error))) throw new ShardctlError('NOT_FOUND', `shard ${cid} is not here (${path})`, { cause: error });
    throw ioError(error, `opening shard ${cid}`, path);
  }
}

export function readError(error: unknown, cid: string, path: string): ShardctlError {
  if (!(error instanceof ShardctlError)) return ioError(error, `reading shard ${cid}`, path);
  return new ShardctlError('DAMAGE', `shard ${cid} is damaged (${path}): ${error.message}`, { cause: error });
}

export class CarFile {
  readonly size: number;
  #fd: number | undefined;

  constructor(path: string) {
    const { fd, size } = openRegularSync(path);
    this.#fd = fd;
    this.size = size;
  }

  /** Synchronous, because a block of ordinary size is in the page cache or one seek away. @throws ShardctlError `DAMAGE` for a read past the end */
  bytes(at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const got = readSync(this.#open(), bytes, done, length - done, at + done);
      if (got === 0) throw new ShardctlError('DAMAGE', `it ends after ${at + done} bytes`);
      done += got;
    }
    return bytes;
  }

  /** Fills the window with what is at offset `at`. @returns how many bytes there were */
  async fill(window: Buffer, at: number): Promise<number> {
    let done = 0;
    while (done < window.length) {
      const { bytesRead } = await readAsync(this.#open(), window, done, window.length - done, at + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** The number of a closed descriptor may already be another file's, so it is never used. */
  #open(): number {
    if (this.#fd === undefined) throw new Error('the shard was closed');
    return this.#fd;
  }
}
