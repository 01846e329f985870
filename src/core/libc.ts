/**
 * System calls that Node lacks, or that take longer through Node, made by koffi, which is loaded on first use, by this file,
 * `fuse-calls.ts` and `inotify-calls.ts`; where koffi cannot be loaded, callers do without.
 */

import { closeSync, constants, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, endianness, platform } from 'node:os';

export interface Libc {
  /** Sets the mtime of a path, to the nanosecond, without following a symlink. Returns an errno, 0 when it worked. */
  setMtime(path: Buffer, mtimeNs: bigint): number;
  /** The same for an open file: no path is looked up. */
  setMtimeOf(fd: number, mtimeNs: bigint): number;
  /** Flushes the whole file system on which this open file is. Linux only. Returns an errno, 0 when it worked. */
  syncFilesystem?: (fd: number) => number;
  /** Two entries of one file system take each other's place in one step. Linux only. Returns an errno, 0 when it worked. */
  exchange?: (one: Uint8Array, other: Uint8Array) => number;
  /**
   * Makes a file that is not there yet, in an open directory. Linux only.
   * @param name in bytes, one char each @returns a descriptor for writing; -1 where that cannot be done so: `openSync` says why
   */
  makeFile?: (directory: number, name: string, mode: number) => number;
}

const NS_PER_SECOND = 1_000_000_000n;
const LINUX = { cwd: -100, noFollow: 0x100, omit: (1n << 30n) - 2n };
const DARWIN = { cwd: -2, noFollow: 0x20, omit: -2n };

let loaded: Promise<Libc | undefined> | undefined;

/** The calls, or undefined on a system where koffi or the calls are missing. */
export function loadLibc(): Promise<Libc | undefined> {
  loaded ??= bind().catch(() => undefined);
  return loaded;
}

async function bind(): Promise<Libc> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const { cwd, noFollow, omit } = platform() === 'darwin' ? DARWIN : LINUX;
  const utimensat = library.func('int utimensat(int dirfd, const uint8_t *path, const int64_t *times, int flags)');
  const futimens = library.func('int futimens(int fd, const int64_t *times)');
  // struct timespec[2], of which the first, the atime, stays as it is. Nothing else runs between filling it and the call.
  const times = new BigInt64Array([0n, omit, 0n, 0n]);
  const setTimes = (mtimeNs: bigint) => {
    // struct timespec counts nanoseconds forward from the second, also before 1970.
    const nanoseconds = ((mtimeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
    times[2] = (mtimeNs - nanoseconds) / NS_PER_SECOND;
    times[3] = nanoseconds;
  };
  const libc: Libc = {
    setMtime(path, mtimeNs) {
      setTimes(mtimeNs);
      const terminated = Buffer.alloc(path.length + 1);
      terminated.set(path);
      return utimensat(cwd, terminated, times, noFollow) === 0 ? 0 : koffi.errno();
    },
    setMtimeOf(fd, mtimeNs) {
      setTimes(mtimeNs);
      return futimens(fd, times) === 0 ? 0 : koffi.errno();
    },
  };
  if (platform() !== 'linux') return libc;
  const syncfs = library.func('int syncfs(int fd)');
  const exchange = exchangeCall(library, () => koffi.errno());
  return {
    ...libc,
    syncFilesystem: (fd) => (syncfs(fd) === 0 ? 0 : koffi.errno()),
    ...(exchange === undefined ? {} : { exchange }),
    ...(hasUsualNumbers() ? { makeFile: makeFileCall(library) } : {}),
  };
}

const MOST_NAME_BYTES = 255;
const O_CLOEXEC = 0o2000000;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | O_CLOEXEC;

function makeFileCall(library: { func(definition: string): (...values: unknown[]) => number }): NonNullable<Libc['makeFile']> {
  const openat = library.func('int openat(int directory, const uint8_t *name, int flags, uint mode)');
  const terminated = Buffer.alloc(MOST_NAME_BYTES + 1);
  return (directory, name, mode) => {
    if (name.length > MOST_NAME_BYTES || name.includes('\0')) return -1;
    terminated[terminated.write(name, 'latin1')] = 0;
    return openat(directory, terminated, NEW_FILE, mode);
  };
}

const RENAME_EXCHANGE = 2;

/** Undefined where the C library is of before 2018, or is musl. */
function exchangeCall(library: { func(definition: string): (...values: unknown[]) => number }, errno: () => number): Libc['exchange'] {
  try {
    const renameat2 = library.func('int renameat2(int fromDir, const uint8_t *from, int toDir, const uint8_t *to, uint flags)');
    const terminated = (path: Uint8Array) => Buffer.concat([path, Buffer.alloc(1)]);
    return (one, other) => (renameat2(LINUX.cwd, terminated(one), LINUX.cwd, terminated(other), RENAME_EXCHANGE) === 0 ? 0 : errno());
  } catch {
    return undefined;
  }
}

/** Whether this is a Linux of 64 bits, the lowest byte first, whose flags have the numbers that most architectures give them. */
export function hasUsualNumbers(): boolean {
  return platform() === 'linux' && endianness() === 'LE' && ['x64', 'arm64', 'ppc64', 'riscv64', 'loong64'].includes(arch());
}

/** The calls that a scan makes for each directory or entry of the source. */
export interface LinuxCalls {
  /**
   * Opens what is below an open directory: no part of the path may be a symlink, nor lead out of it.
   * @param path ended by a zero byte @returns a file descriptor, or -1
   */
  openBeneath(directory: number, path: Buffer, flags: number): number;
  /** Looks at an entry of an open directory, without following a symlink. @param name ended by a zero byte @returns 0, or -1 */
  statx(directory: number, name: Buffer, into: Buffer): number;
  /** @returns bytes of records, 0 at the end, -1 on failure */
  getdents(directory: number, into: Buffer, bytes: number): number;
}

const STATX_BASIC = 0x7ff;
/** The number of openat2, which glibc has no function for. Newer system calls have one number on all architectures. */
const OPENAT2 = 437;
/** RESOLVE_NO_SYMLINKS and RESOLVE_BENEATH, see openat2(2). */
const BENEATH = 0x04n | 0x08n;

/** Undefined where koffi or the calls are missing: not Linux, an old glibc or kernel, or a sandbox that forbids them. `openBeneath` alone may fail there. */
export function linuxCalls(): LinuxCalls | undefined {
  if (platform() !== 'linux') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(null);
    const statx = library.func('int statx(int dirfd, uint8_t *name, int flags, uint mask, uint8_t *into)');
    const getdents64 = library.func('int getdents64(int fd, uint8_t *into, uint64_t bytes)');
    const syscall = library.func('long syscall(long number, int dirfd, uint8_t *path, uint64_t *how, uint64_t bytes)');
    // struct open_how: flags, mode, resolve.
    const how = new BigUint64Array([0n, 0n, BENEATH]);
    const flagWords = new Uint32Array(how.buffer);
    const calls: LinuxCalls = {
      openBeneath: (directory, path, flags) => {
        flagWords[endianness() === 'LE' ? 0 : 1] = flags | O_CLOEXEC;
        return syscall(OPENAT2, directory, path, how, how.byteLength);
      },
      statx: (directory, name, into) => statx(directory, name, LINUX.noFollow, STATX_BASIC, into),
      getdents: (directory, into, bytes) => getdents64(directory, into, bytes),
    };
    return calls.statx(LINUX.cwd, Buffer.from('/\0'), Buffer.alloc(256)) === 0 ? calls : undefined;
  } catch {
    return undefined;
  }
}

export interface MemoryCalls {
  /** Maps the first byte of an open file, shared, and unmaps it. Returns an errno, 0 when it worked. */
  tryMapShared(fd: number, writable: boolean): number;
}

/** The same numbers on Linux and Darwin. */
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

/** Undefined where koffi is missing. */
export function memoryCalls(): MemoryCalls | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(null);
    // Addresses are declared as numbers: they are only compared, and passed to munmap.
    const mmap = library.func('int64_t mmap(int64_t at, uint64_t bytes, int protection, int flags, int fd, int64_t offset)');
    const munmap = library.func('int munmap(int64_t at, uint64_t bytes)');
    return {
      tryMapShared(fd, writable) {
        const at = mmap(0, 1, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
        if (at === -1) return koffi.errno();
        munmap(at, 1);
        return 0;
      },
    };
  } catch {
    return undefined;
  }
}

export interface CachedReads {
  /**
   * Reads from an open file what the system has of it in memory, from `at` on, and waits for no disk.
   * @returns bytes; 0 where the first of them is not in memory, -1 where the file system cannot tell
   */
  readCached(fd: number, into: Uint8Array, at: number): number;
}

/** Fails rather than wait for a disk, see preadv2(2). ext4, XFS and Btrfs know it; tmpfs, NFS and FUSE do not. */
const RWF_NOWAIT = 0x08;
const EAGAIN = 11;

/** Undefined where koffi or the call is missing: not Linux, a C library of before 2017. */
export function cachedReads(): CachedReads | undefined {
  if (platform() !== 'linux') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(null);
    const vector = koffi.pointer(koffi.struct({ base: 'uint8_t *', bytes: 'size_t' }));
    const preadv2 = library.func('preadv2', 'int64_t', ['int', vector, 'int', 'int64_t', 'int']);
    return {
      readCached: (fd, into, at) => {
        const bytes = preadv2(fd, { base: into, bytes: into.length }, 1, at, RWF_NOWAIT) as number;
        return bytes >= 0 ? bytes : koffi.errno() === EAGAIN ? 0 : -1;
      },
    };
  } catch {
    return undefined;
  }
}

export interface LookCalls {
  /** Looks at an open file. @param into `STATX_BYTES` of it: `struct statx` with size, ctime and mtime @returns 0, or -1 */
  look(fd: number, into: Uint8Array): number;
}

export const STATX_BYTES = 256;
const EMPTY_PATH = 0x1000;
/** STATX_SIZE, STATX_CTIME and STATX_MTIME. */
const STATX_LOOKS = 0x2c0;

/** Undefined where koffi or the call is missing: not Linux, an old C library or kernel, or a sandbox that forbids it. */
export function lookCalls(): LookCalls | undefined {
  if (platform() !== 'linux') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const statx = koffi.load(null).func('int statx(int dirfd, uint8_t *name, int flags, uint mask, uint8_t *into)');
    const noName = new Uint8Array(1);
    const look: LookCalls['look'] = (fd, into) => statx(fd, noName, EMPTY_PATH, STATX_LOOKS, into);
    // Descriptor 0 may be closed: any open one will do.
    const fd = openSync('/', 'r');
    const isThere = look(fd, new Uint8Array(STATX_BYTES)) === 0;
    closeSync(fd);
    return isThere ? { look } : undefined;
  } catch {
    return undefined;
  }
}

/** Ends the process at once, and waits for no thread of it (`_exit`). Undefined where koffi is missing. */
export function exitCall(): ((code: number) => void) | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    return koffi.load(null).func('void _exit(int code)');
  } catch {
    return undefined;
  }
}

export interface SocketCalls {
  /** Of what is written to a connection, the system takes no more than so many bytes beyond those that it may send at once. */
  limitUnsent(fd: number, bytes: number): void;
}

const IPPROTO_TCP = 6;
/** TCP_NOTSENT_LOWAT, see tcp(7). */
const NOTSENT_LOWAT = platform() === 'darwin' ? 0x201 : 25;

/** Undefined where koffi is missing, or the system is another than Linux and Darwin. */
export function socketCalls(): SocketCalls | undefined {
  if (platform() !== 'linux' && platform() !== 'darwin') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const setsockopt = koffi.load(null).func('int setsockopt(int fd, int level, int option, const uint32_t *value, uint32_t bytes)');
    const value = new Uint32Array(1);
    return {
      limitUnsent: (fd, bytes) => {
        value[0] = bytes;
        setsockopt(fd, IPPROTO_TCP, NOTSENT_LOWAT, value, value.byteLength);
      },
    };
  } catch {
    return undefined;
  }
}
