/**
 * Where the system can be asked in the main thread. A call for what lies on another machine, or in a FUSE process, waits for ever when that
 * hangs, and a thread that waits is one of four; but the main thread takes signals, and serves all others.
 */
import { lstatSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

/** Types by statfs(2) of file systems of this machine: ext2 to ext4, XFS, Btrfs, tmpfs, ZFS, F2FS, overlay. Any other may wait for something else. */
const OWN: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x2fc12fc1, 0xf2f52010, 0x794c7630]);

/**
 * Tells of the folders of a directory, by their paths, whether the main thread may ask for what is in them: never of a symlink, which may lead
 * to another file system. Valid for one pass over the directory: another disk may be mounted there later.
 */
export async function ownFoldersOf(directory: string): Promise<(folder: string) => boolean> {
  if (!(await isOwn(directory))) return () => false;
  const known = new Map<string, boolean>();
  return (folder) => {
    const before = known.get(folder);
    if (before !== undefined) return before;
    const now = isDirectoryItself(folder);
    known.set(folder, now);
    return now;
  };
}

async function isOwn(directory: string): Promise<boolean> {
  try {
    return OWN.has((await statfs(directory)).type);
  } catch {
    return false;
  }
}

function isDirectoryItself(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}
