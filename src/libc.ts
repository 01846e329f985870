/** Two system calls that Node lacks, through koffi. Sole owner of koffi: loaded on first use, and its absence is no error. */
import { platform } from 'node:os';

export interface Libc {
  /** Sets the mtime of a path, to the nanosecond, without following a symlink. Returns an errno, 0 when it worked. */
  setMtime(path: Buffer, mtimeNs: bigint): number;
  /** Writes everything of the filesystem that holds this open file to its disk. Returns an errno, 0 when it worked. Linux alone has it. */
  syncFilesystem?: (fd: number) => number;
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
  const libc: Libc = {
    setMtime(path, mtimeNs) {
      // struct timespec counts nanoseconds forward from the second, also before 1970.
      const nanoseconds = ((mtimeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
      const seconds = (mtimeNs - nanoseconds) / NS_PER_SECOND;
      const terminated = Buffer.alloc(path.length + 1);
      terminated.set(path);
      return utimensat(cwd, terminated, new BigInt64Array([0n, omit, seconds, nanoseconds]), noFollow) === 0 ? 0 : koffi.errno();
    },
  };
  if (platform() !== 'linux') return libc;
  const syncfs = library.func('int syncfs(int fd)');
  return { ...libc, syncFilesystem: (fd) => (syncfs(fd) === 0 ? 0 : koffi.errno()) };
}
