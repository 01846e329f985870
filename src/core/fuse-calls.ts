/**
 * System calls of a program that is a file system itself, made by koffi. Loaded by nobody who mounts nothing.
 */
import { createRequire } from 'node:module';
import { apart } from './calls-apart.ts';
import { hasUsualNumbers } from './libc.ts';

/** Each call returns −errno when it fails. */
export interface FuseCalls {
  /** What can be read at once from a descriptor that does not block. @returns bytes */
  read(fd: number, into: Buffer): number;
  /** @returns bytes */
  write(fd: number, bytes: Buffer, length: number): number;
  /** As `write`, in a thread: the kernel may take a lock for it that somebody has whom this program has not answered yet. */
  writeApart(fd: number, bytes: Buffer): Promise<number>;
  /** Resolves when one of the two can be read, or has nobody at its other end. A thread of libuv's waits for that. */
  waitForEither(fd: number, other: number): Promise<void>;
  dontBlock(fd: number): number;
  /** See mount(2). @param target a path */
  mount(source: string, target: string, type: string, flags: number, data: string): number;
  /** See umount2(2). In a thread: what is unmounted may ask this program once more. */
  unmount(target: string, flags: number): Promise<number>;
  /** As `unmount`, for a process that ends. */
  unmountNow(target: string, flags: number): number;
  /** @returns two sockets, connected with each other; neither is left to programs that are started */
  socketPair(): readonly [number, number] | number;
  /** @returns a descriptor that was sent over the socket and is there already */
  receiveDescriptor(socket: number): number;
}

const POLLIN = 1;
const [F_GETFL, F_SETFL, O_NONBLOCK] = [3, 4, 0o4000];
const [AF_UNIX, SOCK_STREAM, SOCK_CLOEXEC] = [1, 1, 0o2000000];
const [MSG_DONTWAIT, MSG_CMSG_CLOEXEC] = [0x40, 0x40000000];
const [SOL_SOCKET, SCM_RIGHTS, ENOMSG] = [1, 1, 42];

/** Undefined where koffi or the calls are missing, or this is not a Linux of 64 bits, the lowest byte first. */
export function fuseCalls(): FuseCalls | undefined {
  if (!hasUsualNumbers()) return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    return bindFuse(koffi);
  } catch {
    return undefined;
  }
}

function bindFuse(koffi: typeof import('koffi')): FuseCalls {
  const library = koffi.load(null);
  const read = library.func('int64_t read(int fd, uint8_t *into, uint64_t bytes)');
  const write = library.func('int64_t write(int fd, const uint8_t *bytes, uint64_t length)');
  const poll = library.func('int poll(uint8_t *fds, uint64_t count, int timeout)');
  const fcntl = library.func('int fcntl(int fd, int command, ...)');
  const mount = library.func('int mount(const char *source, const char *target, const char *type, uint64_t flags, const char *data)');
  const umount2 = library.func('int umount2(const char *target, int flags)');
  const socketpair = library.func('int socketpair(int domain, int type, int protocol, int *sockets)');
  const recvmsg = library.func('int64_t recvmsg(int socket, uint8_t *message, int flags)');
  const orErrno = (result: number) => (result < 0 ? -koffi.errno() : result);
  const errno = () => koffi.errno();
  return {
    read: (fd, into) => orErrno(read(fd, into, into.length)),
    write: (fd, bytes, length) => orErrno(write(fd, bytes, length)),
    writeApart: async (fd, bytes) => await apart(write, errno, fd, bytes, bytes.length),
    waitForEither: async (fd, other) => {
      // Two of struct pollfd: the descriptor, what is waited for, what has happened.
      const fds = Buffer.alloc(16);
      fds.writeInt32LE(fd, 0);
      fds.writeInt16LE(POLLIN, 4);
      fds.writeInt32LE(other, 8);
      fds.writeInt16LE(POLLIN, 12);
      await apart(poll, errno, fds, 2, -1);
    },
    dontBlock: (fd) => orErrno(fcntl(fd, F_SETFL, 'int', fcntl(fd, F_GETFL, 'int', 0) | O_NONBLOCK)),
    mount: (source, target, type, flags, data) => orErrno(mount(source, target, type, flags, data)),
    unmount: async (target, flags) => await apart(umount2, errno, target, flags),
    unmountNow: (target, flags) => orErrno(umount2(target, flags)),
    socketPair: () => {
      const sockets = new Int32Array(2);
      const result = orErrno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
      return result < 0 ? result : [sockets[0] as number, sockets[1] as number];
    },
    receiveDescriptor: (socket) => {
      const data = Buffer.alloc(1);
      const control = Buffer.alloc(64);
      // struct iovec; then struct msghdr: name and its length, the iovecs and their number, control data and their length, flags.
      const iovec = new BigUint64Array([koffi.address(data), 1n]);
      const message = new BigUint64Array([0n, 0n, koffi.address(iovec), 1n, koffi.address(control), BigInt(control.length), 0n]);
      const result = orErrno(recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
      if (result < 0) return result;
      // struct cmsghdr: its length in 8 bytes, level, type; then the descriptor.
      const isDescriptor = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
      return isDescriptor ? control.readInt32LE(16) : -ENOMSG;
    },
  };
}
