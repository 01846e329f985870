/**
 * What a failed system call means, decided by its number: Node has no name for many that network, FUSE and encrypted file systems give,
 * and calls them all `UNKNOWN`, or `Unknown system error -116`.
 */
import { platform } from 'node:os';
import { getSystemErrorMap } from 'node:util';

type Names = Readonly<Record<number, readonly [name: string, text: string]>>;

/** Linux's, on all architectures that Node is built for; see errno(3). */
const LINUX: Names = {
  51: ['EL2HLT', 'level 2 halted'],
  52: ['EBADE', 'invalid exchange'],
  62: ['ETIME', 'timer expired'],
  67: ['ENOLINK', 'the link has been severed'],
  70: ['ECOMM', 'communication error on send'],
  72: ['EMULTIHOP', 'multihop attempted'],
  74: ['EBADMSG', 'bad message: the data do not match their checksum'],
  77: ['EBADFD', 'file descriptor in bad state'],
  85: ['ERESTART', 'interrupted system call should be restarted'],
  116: ['ESTALE', 'stale file handle'],
  117: ['EUCLEAN', 'structure needs cleaning: the file system is damaged'],
  122: ['EDQUOT', 'disk quota exceeded'],
  123: ['ENOMEDIUM', 'no medium found'],
  124: ['EMEDIUMTYPE', 'wrong medium type'],
  126: ['ENOKEY', 'required key not available'],
  127: ['EKEYEXPIRED', 'key has expired'],
  128: ['EKEYREVOKED', 'key has been revoked'],
  129: ['EKEYREJECTED', 'key was rejected by service'],
  130: ['EOWNERDEAD', 'owner died'],
  131: ['ENOTRECOVERABLE', 'state not recoverable'],
  133: ['EHWPOISON', 'memory page has hardware error'],
};

/** Darwin's and the BSDs', as far as they agree. */
const BSD: Names = {
  69: ['EDQUOT', 'disk quota exceeded'],
  70: ['ESTALE', 'stale file handle'],
  80: ['EAUTH', 'authentication error'],
  81: ['ENEEDAUTH', 'need authenticator'],
  82: ['EPWROFF', 'device power is off'],
  83: ['EDEVERR', 'device error'],
  94: ['EBADMSG', 'bad message: the data do not match their checksum'],
  97: ['ENOLINK', 'the link has been severed'],
};

const UNNAMED: Names = platform() === 'linux' ? LINUX : BSD;

/** @param number above 0 @returns for example `ESTALE`; `errno 9999` where neither Node nor this file has a name */
export function errnoName(number: number): string {
  return getSystemErrorMap().get(-number)?.[0] ?? UNNAMED[number]?.[0] ?? `errno ${number}`;
}

/** How Node's messages begin for an errno that it does not know: not all of its calls word it alike. */
const NAMELESS = /^(Unknown system error -\d+: Unknown system error -\d+|UNKNOWN: unknown error)/;

/** The message of a system error of Node's, with its errno in words also where Node has none. @param number above 0 */
export function withErrnoInWords(message: string, number: number): string {
  return message.replace(NAMELESS, `${errnoName(number)}: ${UNNAMED[number]?.[1] ?? 'unknown error'}`);
}

type Errno = string | undefined;

const meaning =
  (...names: readonly string[]) =>
  (errno: Errno): boolean =>
    errno !== undefined && names.includes(errno);

/** Nothing is there under that path, or a part of the path that was a directory is something else now. */
export const isGone = meaning('ENOENT', 'ENOTDIR');

/** A full disk, or a quota: nothing more can be written there, and freeing space helps. */
export const isNoSpace = meaning('ENOSPC', 'EDQUOT');

/** This process, or the machine, has run out of descriptors or memory: the error says nothing about the file that was to be opened or read. */
export const isTooLittle = meaning('EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS');

/** The same call may succeed in a moment. */
export const isPassing = (errno: Errno): boolean => isTooLittle(errno) || errno === 'EAGAIN' || errno === 'EINTR';

/** Somebody has it open, and the file system lets go of nothing that is: some network mounts, and FUSE. */
export const isBusy = meaning('EBUSY', 'ETXTBSY');

/** This user may not; another might. */
export const isForbidden = meaning('EACCES', 'EPERM');

/** The user may not write there, or nobody may. */
export const isReadOnly = (errno: Errno): boolean => isForbidden(errno) || errno === 'EROFS';

/** The file system does not have this call, or not for this kind of file; that is no fault of its disk. */
export const isUnsupported = meaning('EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOTTY');

/**
 * What fsync says of directories, and of files, where nothing can be flushed: old CIFS, gocryptfs and other FUSE mounts. EIO and
 * ENOSPC are not among them: they tell of data that did not get to the disk.
 */
export const cannotFlush = (errno: Errno): boolean => isUnsupported(errno) || errno === 'EBADF' || errno === 'EISDIR';

/** Setting a mode, an owner or a time is refused by file systems that keep none (FAT, some network mounts). */
export const cannotSetAttributes = (errno: Errno): boolean => isUnsupported(errno) || errno === 'EPERM';

/** The disk, the server or the daemon behind a mount is gone or broken: the error says nothing about the file that was asked for. */
const isPlaceBroken = meaning(
  'EIO',
  'ENXIO',
  'ENODEV',
  'ENOTCONN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'ESHUTDOWN',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ESTALE',
  'EUCLEAN',
  'EREMOTEIO',
  'ENOMEDIUM',
  'EMEDIUMTYPE',
  'ENOLINK',
  'ECOMM',
  'ENOKEY',
  'EKEYEXPIRED',
  'EKEYREVOKED',
  'EKEYREJECTED',
  'EPWROFF',
  'EDEVERR',
);

/** Nothing can be written to this file system any more: every other file would fail, too. */
export const isPlaceFailing = (errno: Errno): boolean => isNoSpace(errno) || isPlaceBroken(errno) || errno === 'EROFS' || errno === 'EBADF';
