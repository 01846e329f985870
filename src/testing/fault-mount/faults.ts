/** What a fault mount does wrong: said by a test, kept by the server, sent as JSON from one to the other. */
import type { ByteString } from '../../core/model.ts';

/** What can be made to fail. An attribute of an entry is asked for by `lookup` (by name) or by `getattr`; `truncate`, `chmod`, `chown` and `utimens` are told apart here, not by the kernel. */
export type Operation =
  | 'lookup'
  | 'getattr'
  | 'truncate'
  | 'chmod'
  | 'chown'
  | 'utimens'
  | 'readlink'
  | 'symlink'
  | 'mknod'
  | 'mkdir'
  | 'unlink'
  | 'rmdir'
  | 'rename'
  | 'link'
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'statfs'
  | 'flush'
  | 'release'
  | 'fsync'
  | 'opendir'
  | 'readdir'
  | 'fsyncdir'
  | 'copy_file_range';

/** Linux's numbers of what Node has no name for, and of what file systems say most often when they will not. */
export const LINUX_ERRNO = {
  EPERM: 1,
  EIO: 5,
  EBADF: 9,
  EACCES: 13,
  EBUSY: 16,
  EXDEV: 18,
  EISDIR: 21,
  EINVAL: 22,
  ENOSPC: 28,
  EROFS: 30,
  ENOSYS: 38,
  EBADMSG: 74,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ESHUTDOWN: 108,
  ESTALE: 116,
  EUCLEAN: 117,
  EREMOTEIO: 121,
  EDQUOT: 122,
  ENOMEDIUM: 123,
  ENOKEY: 126,
  EKEYEXPIRED: 127,
  EKEYREJECTED: 129,
  EHWPOISON: 133,
} as const;

export interface Refusal {
  readonly on: readonly Operation[];
  /** Paths in the mount, without a slash at the beginning; its root is ''. All paths when absent. Bytes are matched as latin1. */
  readonly path?: RegExp;
  /** By number: `LINUX_ERRNO` has some. */
  readonly errno: number;
  /** So many such operations still go well. */
  readonly after?: number;
}

export interface Faults {
  readonly refuse?: readonly Refusal[];
  /** What stat says of these files, whatever they hold; with `directIo` they can be read to their real end. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Paths that their directory lists twice. */
  readonly twice?: readonly string[];
  /** Files are opened past the page cache: reads go to the real end, and nothing can be mapped shared (mmap says ENODEV). */
  readonly directIo?: boolean;
  /** The most bytes that a read gives, however many are wanted and there. */
  readonly mostRead?: number;
  /**
   * A file that is removed, or replaced, while it is open: it stays in its directory under another name until it is closed,
   * as libfuse (`.fuse_hidden…`) and NFS (`.nfs…`) have it; or that is `refused`, with EBUSY.
   */
  readonly openFiles?: 'as-usual' | 'fuse_hidden' | 'nfs' | 'refused';
  /** Added to each inode number: 2^63 and more are what go-fuse and mergerfs give. */
  readonly inodesFrom?: bigint;
  /** Each look-up of a name gives another inode number, as in Kubo's mounts. What is open keeps the one that it was opened under. */
  readonly renumbers?: boolean;
}

export function toJson(faults: Faults): string {
  return JSON.stringify(faults, (_, value: unknown) => {
    if (value instanceof RegExp) return value.source;
    return typeof value === 'bigint' ? String(value) : value;
  });
}

/** The server's side: what holds at the moment. */
export class FaultState {
  #faults: Faults = {};
  #left: number[] = [];
  #twice = new Set<ByteString>();

  set(json: string): void {
    const plain = JSON.parse(json) as Faults & { inodesFrom?: string };
    this.#faults = {
      ...plain,
      refuse: (plain.refuse ?? []).map(({ path, ...rest }) => ({ ...rest, path: new RegExp(path ?? '', 's') })),
      inodesFrom: BigInt(plain.inodesFrom ?? 0),
    };
    this.#left = (this.#faults.refuse ?? []).map(({ after = 0 }) => after);
    this.#twice = new Set(plain.twice);
  }

  /** @returns an errno, or 0 */
  refusal(operation: Operation, path: ByteString): number {
    for (const [i, { on, path: pattern, errno }] of (this.#faults.refuse ?? []).entries()) {
      if (!on.includes(operation) || !pattern?.test(path)) continue;
      const left = this.#left[i] ?? 0;
      this.#left[i] = left - 1;
      if (left <= 0) return errno;
    }
    return 0;
  }

  sizeOf(path: ByteString, size: bigint): bigint {
    const lie = this.#faults.sizes?.[path];
    return lie === undefined ? size : BigInt(lie);
  }

  /** @param node ID of its node in the mount */
  inode(ino: bigint, node: bigint): bigint {
    return BigInt.asUintN(64, (this.renumbers ? node : ino) + (this.#faults.inodesFrom ?? 0n));
  }

  get renumbers(): boolean {
    return this.#faults.renumbers ?? false;
  }

  isListedTwice(path: ByteString): boolean {
    return this.#twice.has(path);
  }

  get directIo(): boolean {
    return this.#faults.directIo ?? false;
  }

  get mostRead(): number {
    return this.#faults.mostRead ?? Number.POSITIVE_INFINITY;
  }

  get openFiles(): NonNullable<Faults['openFiles']> {
    return this.#faults.openFiles ?? 'as-usual';
  }
}
