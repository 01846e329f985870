/**
 * System calls by which a program hears what changes in directories, see inotify(7), made by koffi. Loaded by nobody who watches nothing.
 */
import { createRequire } from 'node:module';
import { apart } from './calls-apart.ts';
import { hasUsualNumbers } from './libc.ts';

/** Each call returns −errno when it fails. */
export interface InotifyCalls {
  /** @returns a descriptor of an instance: reading from it does not block, and it is not left to programs that are started */
  open(): number;
  /** Asks for the events of a directory. @param path ended by a zero byte @returns the number of its watch, the one it has already if it has one */
  add(instance: number, path: Buffer, mask: number): number;
  remove(instance: number, watch: number): number;
  /** Reads what events there are. @returns bytes */
  read(instance: number, into: Buffer): number;
  /** @returns a descriptor that can be read once `ring` was called, until `hush` is */
  bell(): number;
  ring(bell: number): void;
  hush(bell: number): void;
  /** Resolves when one of these can be read. A thread of libuv's waits for that. */
  waitForAny(descriptors: readonly number[]): Promise<void>;
}

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const POLLIN = 1;
/** Of struct pollfd: the descriptor, what is waited for, what has happened. */
const POLLFD_BYTES = 8;

/** Undefined where koffi or the calls are missing, or this is not a Linux of 64 bits, the lowest byte first. */
export function inotifyCalls(): InotifyCalls | undefined {
  if (!hasUsualNumbers()) return undefined;
  try {
    return bindInotify(createRequire(import.meta.url)('koffi') as typeof import('koffi'));
  } catch {
    return undefined;
  }
}

function bindInotify(koffi: typeof import('koffi')): InotifyCalls {
  const library = koffi.load(null);
  const inotifyInit1 = library.func('int inotify_init1(int flags)');
  const addWatch = library.func('int inotify_add_watch(int fd, const uint8_t *path, uint32_t mask)');
  const rmWatch = library.func('int inotify_rm_watch(int fd, int watch)');
  const eventfd = library.func('int eventfd(uint32_t count, int flags)');
  const read = library.func('int64_t read(int fd, uint8_t *into, uint64_t bytes)');
  const write = library.func('int64_t write(int fd, const uint8_t *bytes, uint64_t length)');
  const poll = library.func('int poll(uint8_t *fds, uint64_t count, int timeout)');
  const orErrno = (result: number) => (result < 0 ? -koffi.errno() : result);
  const one = Buffer.from(new BigUint64Array([1n]).buffer);
  const rung = Buffer.alloc(8);
  return {
    open: () => orErrno(inotifyInit1(O_NONBLOCK | O_CLOEXEC)),
    add: (instance, path, mask) => orErrno(addWatch(instance, path, mask)),
    remove: (instance, watch) => orErrno(rmWatch(instance, watch)),
    read: (instance, into) => orErrno(read(instance, into, into.length)),
    bell: () => orErrno(eventfd(0, O_NONBLOCK | O_CLOEXEC)),
    ring: (bell) => void write(bell, one, one.length),
    hush: (bell) => void read(bell, rung, rung.length),
    waitForAny: async (descriptors) => {
      const fds = Buffer.alloc(POLLFD_BYTES * descriptors.length);
      for (const [i, fd] of descriptors.entries()) {
        fds.writeInt32LE(fd, i * POLLFD_BYTES);
        fds.writeInt16LE(POLLIN, i * POLLFD_BYTES + 4);
      }
      await apart(poll, () => koffi.errno(), fds, descriptors.length, -1);
    },
  };
}
