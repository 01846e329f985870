/** The errors that a user can meet: each has a stable code, a message of one line, a hint what to do, and the exit code of the run. */

import { errnoName, isNoSpace, isTooLittle, withErrnoInWords } from './errno.ts';

/** Exit codes: the table in docs/architecture.md. Codes are stable, messages are not. */
export const EXIT = {
  done: 0,
  bug: 1,
  usage: 2,
  /** Some entries of the source could not be read, or some of a restored tree could not be made; all others are done. */
  unreadable: 23,
  unstable: 24,
  maxDelete: 25,
  /** A snapshot was committed, and the gate holds it back; or what `verify --against` has judged contradicts itself. */
  held: 26,
  notFound: 40,
  locked: 41,
  tooFewPeers: 42,
  noSpace: 43,
  damage: 44,
  newerFormat: 45,
  /** Shards are on fewer peers than is asked for. */
  atRisk: 46,
  interrupted: 130,
  /** Whoever read the bytes on stdout has gone before the end: what a shell says of a program that a broken pipe has ended. */
  unheard: 141,
  terminated: 143,
} as const;

/** From those that nobody can do anything about to those that a later run may put right. Who stops a run is to hear that it was stopped. */
const WORST_FIRST: readonly number[] = [
  EXIT.bug,
  EXIT.terminated,
  EXIT.interrupted,
  EXIT.unheard,
  EXIT.newerFormat,
  EXIT.damage,
  EXIT.noSpace,
  EXIT.tooFewPeers,
  EXIT.atRisk,
  EXIT.maxDelete,
  EXIT.held,
  EXIT.notFound,
  EXIT.usage,
  EXIT.unreadable,
  EXIT.unstable,
  EXIT.locked,
];

/** How a run ends that has done several things, each with an exit code of its own. */
export function worstOf(codes: Iterable<number>): number {
  const all = new Set(codes);
  return WORST_FIRST.find((code) => all.has(code)) ?? EXIT.done;
}

const EXIT_OF = {
  USAGE: EXIT.usage,
  SOURCE_MISSING: EXIT.notFound,
  // Not `unreadable`: exit code 23 promises that the rest was committed.
  SOURCE_UNREADABLE: EXIT.notFound,
  HOME_IN_SOURCE: EXIT.usage,
  MAX_DELETE: EXIT.maxDelete,
  /** Some entries of a restored tree could not be made; the rest is there. */
  NOT_WRITTEN: EXIT.unreadable,
  NOT_FOUND: EXIT.notFound,
  LOCKED: EXIT.locked,
  TOO_FEW_PEERS: EXIT.tooFewPeers,
  /** The peer can be asked which shards it holds, but not for their bytes. */
  NOT_READABLE: EXIT.tooFewPeers,
  NO_SPACE: EXIT.noSpace,
  DAMAGE: EXIT.damage,
  NEWER_FORMAT: EXIT.newerFormat,
  BAD_CONFIG: EXIT.usage,
  IO: EXIT.bug,
  INTERRUPTED: EXIT.interrupted,
  TERMINATED: EXIT.terminated,
} as const;

export type ErrorCode = keyof typeof EXIT_OF;

export class ShardctlError extends Error {
  readonly code: ErrorCode;
  /** What the user can do about it; one sentence. */
  readonly hint: string | undefined;
  /** True when trying the same thing again may work. */
  readonly retryable: boolean;
  /** Of `NO_SPACE`: what could not be written, where that is known. */
  readonly path: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; retryable?: boolean; cause?: unknown; path?: string } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ShardctlError';
    this.code = code;
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
    this.path = options.path;
  }

  get exitCode(): number {
    return EXIT_OF[this.code];
  }
}

/**
 * Something of the home has failed while a peer was given something. It is no `ShardctlError`, because those are taken for the peer's own
 * failures there: a full home would leave out every peer, and be noted of them. It has the errno of its cause, so `ioError` takes it.
 */
export class HomeFailure extends Error {
  readonly error: ShardctlError;
  readonly code: string | undefined;

  constructor(error: ShardctlError) {
    super(error.message, { cause: error });
    this.name = 'HomeFailure';
    this.error = error;
    this.code = errnoOf(error.cause);
  }
}

/** The `code` of Node's errors whose errno it has no name for. */
const NAMELESS = /^(UNKNOWN$|Unknown system error)/;

/** The errno of a failed system call (`ENOENT`, …; also of one that Node has no name for), or undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  // LMDB's errors have numbers: errnos above 0, and its own codes below.
  if (typeof code === 'number') return code > 0 ? errnoName(code) : undefined;
  if (typeof code !== 'string') return undefined;
  if (/^E[A-Z0-9]+$/.test(code)) return code;
  return NAMELESS.test(code) && typeof errno === 'number' ? errnoName(-errno) : undefined;
}

/** Why a commit of LMDB failed: lmdb's error has a promise, `commitError`, that is rejected with the cause. Any other error is returned as it is. */
export async function behindCommit(error: unknown): Promise<unknown> {
  const { commitError } = (error ?? {}) as { commitError?: unknown };
  if (commitError === undefined) return error;
  return await Promise.resolve(commitError).then(
    () => error,
    (cause: unknown) => cause,
  );
}

/** The message of any error, with its errno in words also where Node has none. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { errno } = error as NodeJS.ErrnoException;
  return errno === undefined ? error.message : withErrnoInWords(error.message, -errno);
}

/** Whether this is damage: bytes that are not what they should be, or are not where they should be. */
export function isDamage(error: unknown): error is ShardctlError & { readonly code: 'DAMAGE' } {
  return error instanceof ShardctlError && error.code === 'DAMAGE';
}

/** Whether this process has run out of something: the error then says nothing about what was read, and must not count as damage. */
export function isShortage(error: unknown): boolean {
  if (error instanceof ShardctlError) return isShortage(error.cause);
  return isTooLittle(errnoOf(error));
}

/** What a failed system call says, without the path, which the caller names in its own way. */
export function reasonOf(error: unknown): string {
  return messageOf(error)
    .replace(/, \w+ '.*$/s, '')
    .replace(/, \w+$/, '');
}

/** What this process or the machine has run out of, and what helps: the file that was to be opened is not at fault. */
const SHORTAGES: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  EMFILE: [
    'this process may have no more files open',
    '`ulimit -n 4096` allows more in this shell, LimitNOFILE=4096 in a unit of systemd; then run the same command again',
  ],
  ENFILE: ['the machine can have no more files open', 'raise fs.file-max with `sysctl`, or end what has so many open; then run it again'],
  ENOMEM: ['the machine has no memory left', 'end what takes so much of it, then run the same command again'],
  ENOBUFS: ['the machine has no memory left for sockets', 'end what has so many open, then run the same command again'],
};

/** As `ioError`, of what was asked for elsewhere: it begins anew, and no space of ours would help it. */
export function outputError(error: unknown, doing: string, where: string): ShardctlError {
  if (error instanceof ShardctlError) return error;
  const { code, message, hint } = ioError(error, doing, where);
  const elsewhere = code === 'NO_SPACE' ? 'make room there, or write it elsewhere; then run the same command again' : hint;
  return new ShardctlError(code, message, { ...(elsewhere === undefined ? {} : { hint: elsewhere }), cause: error });
}

/**
 * Translates a failed system call on something of ours (home, peer) into an error that a user can act on.
 * @param doing what was being done, for example `writing shard 00000003 to peer "disk1"`
 */
export function ioError(error: unknown, doing: string, where: string): ShardctlError {
  if (error instanceof ShardctlError) return error;
  if (error instanceof HomeFailure) return error.error;
  if (isNoSpace(errnoOf(error))) {
    return new ShardctlError('NO_SPACE', `no space left while ${doing} (${where})`, {
      hint: 'free some space there, then run the same command again: it goes on where it stopped; `shardctl prune` works on a full disk, too',
      cause: error,
      path: where,
    });
  }
  const short = SHORTAGES[errnoOf(error) ?? ''];
  if (short !== undefined) {
    const [what, hint] = short;
    return new ShardctlError('IO', `${doing} failed: ${what} (${reasonOf(error)})`, { hint, cause: error });
  }
  return new ShardctlError('IO', `${doing} failed (${where}): ${reasonOf(error)}`, {
    hint: 'check the disk and the permissions, then run the same command again',
    cause: error,
  });
}
