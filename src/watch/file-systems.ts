/** What the kernel hears of, and tells of, in the file systems that a source spans. */
import { statfsSync } from 'node:fs';
import type { ByteString } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';

/** Types by statfs(2) of those that are on another machine or in another process: NFS, SMB, CIFS, SMB2, 9P, Ceph, AFS, FUSE. */
const REMOTE: ReadonlySet<number> = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x01021997, 0x00c36400, 0x5346414f, 0x65735546]);
/** Of those in which a directory has one link from each subdirectory, and two more: ext2 to ext4, XFS, tmpfs. Others say 1, or what they like. */
const COUNTING: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x01021994]);

export interface FileSystem {
  /** What others change there is no event here. */
  readonly isRemote: boolean;
  /** A directory with two links has no subdirectories. */
  readonly countsSubdirectories: boolean;
}

export class FileSystems {
  readonly #byDevice = new Map<number, FileSystem>();

  /** @param device number of the device @param path of anything on it @throws the system call's error */
  of(device: number, path: ByteString): FileSystem {
    const known = this.#byDevice.get(device);
    if (known !== undefined) return known;
    const { type } = statfsSync(fsPath(path));
    const found = { isRemote: REMOTE.has(type), countsSubdirectories: COUNTING.has(type) };
    this.#byDevice.set(device, found);
    return found;
  }
}
