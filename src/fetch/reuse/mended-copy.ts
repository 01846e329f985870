/**
 * A file of which OUT has an older version, or the same content under another time: copied within the file system, which costs next to
 * nothing where that shares blocks (reflink), and only those leaves that differ are read from elsewhere.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  read,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { isNoSpace } from '../../core/errno.ts';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { fsPath } from '../../core/path-bytes.ts';
import { removeFileSync } from '../../core/remove-file.ts';
import { hashesTo } from '../../dag/cid.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { leavesOf } from '../../read/files/file-leaves.ts';
import type { TreeEntry } from '../../read/tree/tree.ts';
import type { Destination } from '../../restore/destination.ts';
import { metadataOf } from '../../restore/streamed-files.ts';

const readAsync = promisify(read);
/** Leaves that are read from elsewhere at once. */
const AT_ONCE = 8;

export interface MendedCopy {
  /** Bytes that came from elsewhere. */
  readonly readBytes: number;
}

/**
 * Copies `from`, whatever it holds now, to `to`, and makes it the file that `entry` says.
 * @returns undefined, and leaves nothing at `to`, when nothing of `from` is part of the file @throws ShardctlError when a leaf cannot be had
 */
export async function mendedCopy(
  from: ByteString,
  to: ByteString,
  entry: TreeEntry,
  blocks: Blocks,
  destination: Destination,
): Promise<MendedCopy | undefined> {
  const leaves = await leavesIn(entry, blocks);
  // A copy of what is of no use takes room that the file itself may need.
  if (!(await hasSome(from, leaves)) || !copiesIfRoom(from, to)) return undefined;
  let fd: number | undefined = openSync(fsPath(to), constants.O_RDWR | constants.O_NOFOLLOW);
  let isDone = false;
  try {
    // Of the copy once more: what it was made of may have changed meanwhile.
    const lacking = await lackingOf(fd, leaves);
    if (lacking.length === leaves.length && leaves.length > 0) return undefined;
    ftruncateSync(fd, entry.size);
    let readBytes = 0;
    for (let at = 0; at < lacking.length; at += AT_ONCE) {
      const some = lacking.slice(at, at + AT_ONCE);
      const found = await Promise.all(some.map(({ digest }) => (digest === undefined ? undefined : blocks.read(digest))));
      for (const [i, leaf] of some.entries()) {
        const bytes = found[i] ?? leaf.data;
        if (bytes?.length !== leaf.length)
          throw new ShardctlError('DAMAGE', `a leaf has ${bytes?.length} bytes where its file says ${leaf.length}`);
        writeFully(fd, bytes, leaf.at);
        readBytes += bytes.length;
      }
    }
    const finished = fd;
    fd = undefined;
    destination.finishMade(finished, { path: to, replaces: undefined }, metadataOf(entry));
    isDone = true;
    return { readBytes };
  } finally {
    if (fd !== undefined) closeSync(fd);
    if (!isDone) removeFileSync(fsPath(to));
  }
}

/**
 * A copy that nobody else can open yet, with the blocks shared where the file system can.
 * @param isRight looks at the file once it is open: whoever may write there can have put another one in its place
 * @returns whether it was; false also when its mode keeps even its owner from reading it
 */
export function copyFile(from: ByteString, to: ByteString, isRight: (stat: BigIntStats) => boolean): boolean {
  const source = openToRead(from);
  if (source === undefined) return false;
  try {
    if (!isRight(fstatSync(source, { bigint: true }))) return false;
    removeFileSync(fsPath(to));
    const handle = `/proc/self/fd/${source}`;
    copyFileSync(existsSync(handle) ? handle : fsPath(from), fsPath(to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } finally {
    closeSync(source);
  }
  const fd = openSync(fsPath(to), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fchmodSync(fd, 0o600);
  } finally {
    closeSync(fd);
  }
  return true;
}

/** @returns false also where there is no room for it: the file itself may be smaller than what it is made of */
function copiesIfRoom(from: ByteString, to: ByteString): boolean {
  try {
    return copyFile(from, to, (stat) => stat.isFile());
  } catch (error) {
    if (!isNoSpace(errnoOf(error))) throw error;
    removeFileSync(fsPath(to));
    return false;
  }
}

function openToRead(path: ByteString): number | undefined {
  try {
    return openSync(fsPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    return undefined;
  }
}

interface Leaf {
  readonly at: number;
  readonly length: number;
  /** Undefined when the root itself has the bytes. */
  readonly digest: Uint8Array | undefined;
  readonly data?: Uint8Array;
}

async function leavesIn({ content, codec, digest, size }: TreeEntry, blocks: Blocks): Promise<readonly Leaf[]> {
  const node = 'links' in content ? content : undefined;
  const leaves: Leaf[] = [];
  let at = 0;
  const source = { read: (it: Uint8Array) => blocks.read(it), ...NO_PLACES };
  for await (const part of leavesOf({ codec, digest, node }, 0, size, source)) {
    const leaf = 'data' in part ? { length: part.data.length, data: part.data, digest: undefined } : lengthOf(part);
    leaves.push({ at, ...leaf });
    at += leaf.length;
  }
  return leaves;
}

function lengthOf({ from, to, leaf }: { from: number; to: number; leaf: { digest: Uint8Array } }): Omit<Leaf, 'at'> {
  return { length: to - from, digest: leaf.digest };
}

/** Whether a file has one of the leaves in its place; also when it need have none. */
async function hasSome(path: ByteString, leaves: readonly Leaf[]): Promise<boolean> {
  const fd = openToRead(path);
  if (fd === undefined) return false;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return false;
    if (leaves.length === 0) return true;
    for (const leaf of leaves) {
      if (leaf.at + leaf.length > stat.size) return false;
      if (await isThere(fd, leaf)) return true;
    }
    return false;
  } finally {
    closeSync(fd);
  }
}

async function lackingOf(fd: number, leaves: readonly Leaf[]): Promise<readonly Leaf[]> {
  const { size } = fstatSync(fd);
  const lacking: Leaf[] = [];
  for (const leaf of leaves) if (leaf.at + leaf.length > size || !(await isThere(fd, leaf))) lacking.push(leaf);
  return lacking;
}

async function isThere(fd: number, { at, length, digest }: Leaf): Promise<boolean> {
  if (digest === undefined) return false;
  const bytes = await bytesAt(fd, at, length);
  return bytes !== undefined && hashesTo(bytes, digest);
}

/** Nobody here knows where blocks lie. */
const NO_PLACES = { sizeOf: async () => undefined, extentOf: async () => undefined, extentNow: () => undefined } as const;

async function bytesAt(fd: number, at: number, length: number): Promise<Buffer | undefined> {
  const { buffer, bytesRead } = await readAsync(fd, Buffer.allocUnsafe(length), 0, length, at);
  return bytesRead === length ? buffer : undefined;
}

function writeFully(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}
