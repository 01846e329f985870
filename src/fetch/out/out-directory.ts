/**
 * OUT, as fetch changes it. Whoever else may write to OUT, or to a directory in it, could put a symlink in the way between a look and a
 * change, and so have something elsewhere renamed, deleted or opened up. So OUT and fetch's own directory in it are held open, and what is
 * changed is reached through its directory, which was opened from OUT on without following a symlink: as `/proc/self/fd/N/name`, because Node
 * has no openat(2). Where there is no /proc, paths are what they are everywhere.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { displayPath, shellWord } from '../../core/display.ts';
import { makeDirectories } from '../../core/durable-files.ts';
import { errnoOf, ioError, ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import { FETCH_DIRECTORY } from '../../core/fetch-directory.ts';
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { canHoldDirectories, HANDLES, HeldDirectories, handlePath, openDirectory } from '../../restore/held-directories.ts';
import { isNoDirectory, lookAt, placeIn } from './places.ts';

const OWNER_ONLY = 0o700;
/** Directories that are held open at a time: renames come directory by directory, and a shell may allow a process 90 open files. */
const MOST_OPEN = 16;

export class OutDirectory {
  /** As it was given. */
  readonly path: string;
  /** The same in bytes, for looks, which decide and change nothing. By the open directory each took a third longer. */
  readonly top: ByteString;
  /** Fetch's own directory: nobody else can write to it. */
  readonly own: string;
  readonly #topFd: number | undefined;
  readonly #ownFd: number | undefined;
  readonly #held: HeldDirectories | undefined;

  /** For a dry run: makes nothing, and OUT need not be there. Only looks are possible. */
  static toLookAt(path: string): OutDirectory {
    return new OutDirectory(path, existsSync(path) ? realpathSync(path) : path, false);
  }

  /** Makes both when they are not there. A symlink to a directory is followed, because whoever runs it has named it. @throws ShardctlError `USAGE` when fetch's own directory is none or somebody else's, `IO`, `NO_SPACE` */
  static open(path: string): OutDirectory {
    try {
      if (!existsSync(path)) makeDirectories(path);
      return new OutDirectory(path, realpathSync(path), true);
    } catch (error) {
      throw cannotOpen(error, path);
    }
  }

  private constructor(path: string, real: string, changes: boolean) {
    this.path = path;
    this.top = toBytes(real);
    const own = `${real === '/' ? '' : real}/${FETCH_DIRECTORY}`;
    if (!changes) {
      this.own = own;
      return;
    }
    if (!canHoldDirectories()) {
      this.own = own;
      makeOwn(own);
    } else {
      this.#topFd = openDirectory(this.top, true);
      this.#held = new HeldDirectories(this.#topFd, MOST_OPEN);
      const held = this.#held.at(FETCH_DIRECTORY);
      makeOwn(held, own);
      this.#ownFd = openDirectory(held);
      this.own = handlePath(this.#ownFd);
    }
    takeForOurs(this.own, own);
  }

  /** Where an entry can be renamed, deleted and opened. @throws Error with an errno when its directory is none, or a symlink */
  at(path: ByteString): ByteString {
    return this.#held?.at(path) ?? placeIn(this.top, path);
  }

  /** Where the mode of a directory can be set, whatever its mode is. Throws as `at`. */
  directoryAt(path: ByteString): ByteString {
    return this.#held?.itself(path) ?? placeIn(this.top, path);
  }

  /** Undefined when there is nothing, or its directory is none. */
  look(path: ByteString): ReturnType<typeof lookAt> {
    try {
      return lookAt(this.at(path));
    } catch (error) {
      if (isNoDirectory(error)) return undefined;
      throw error;
    }
  }

  /** A directory has another place now: those that are held open are not what their paths say. */
  hasMoved(): void {
    this.#held?.clear();
  }

  /** A message, with the paths that people know. */
  shown(text: string): string {
    if (this.#topFd === undefined) return text;
    return text.replaceAll(new RegExp(`${HANDLES}/(\\d+)(?!\\d)`, 'g'), (all, fd: string) =>
      Number(fd) === this.#ownFd ? `${this.path}/${FETCH_DIRECTORY}` : Number(fd) === this.#topFd ? this.path : all,
    );
  }

  /** The same of what is told meanwhile. */
  shownIn(event: Event): Event {
    if (event.type === 'not-restored') return { ...event, path: this.shownInPlace(event.path), detail: this.shownInPlace(event.detail) };
    return event.type === 'warning' ? { ...event, message: this.shown(event.message) } : event;
  }

  /** The path of what is put together, where it will be in OUT. */
  shownInPlace(path: string): string {
    return this.shown(path).replace(`/${FETCH_DIRECTORY}/new/`, '/');
  }

  close(): void {
    this.hasMoved();
    for (const fd of [this.#topFd, this.#ownFd]) if (fd !== undefined) closeSync(fd);
  }
}

function cannotOpen(error: unknown, path: string): ShardctlError {
  let there = path;
  while (!existsSync(there) && there !== dirname(there)) there = dirname(there);
  switch (errnoOf(error)) {
    case 'EROFS':
      return new ShardctlError('IO', `${displayPath(toBytes(there))} is on a file system that is mounted read-only`, {
        hint: `\`findmnt -T ${shellWord(there)}\` shows which one; have it mounted for writing, then run the same command again`,
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new ShardctlError('IO', `this user may not write to ${displayPath(toBytes(there))}`, {
        hint: `\`ls -ld ${shellWord(there)}\` shows who may; run it as that user, or name another directory`,
        cause: error,
      });
    case 'EEXIST':
    case 'ENOTDIR':
      return new ShardctlError('USAGE', `${displayPath(toBytes(there))} is no directory: fetch makes OUT one, or uses one that is there`, {
        hint: `\`ls -ld ${shellWord(there)}\` shows what is there; name another directory`,
        cause: error,
      });
    default:
      return withRoom(ioError(error, 'opening the copy', path), path);
  }
}

/** The same error; when a disk is full, with what helps a copy. */
export function withRoom(error: ShardctlError, out: string): ShardctlError {
  if (error.code !== 'NO_SPACE') return error;
  const hint = `make room there (\`df -h ${shellWord(out)}\` shows how much there is), then run the same command again: it goes on where it stopped`;
  return new ShardctlError(error.code, error.message, { hint, cause: error });
}

function makeOwn(at: string, path = at): void {
  try {
    mkdirSync(at, OWNER_ONLY);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    if (!lstatSync(at).isDirectory())
      throw new ShardctlError('USAGE', `${path} is no directory: fetch keeps there what it has to remember`, {
        hint: `\`rm ${shellWord(path)}\` deletes it; then run the same command again`,
      });
  }
}

/** Who owns the directory could put into it what he likes. So it must belong to whom a new directory in it belongs to. */
function takeForOurs(own: string, path: string): void {
  const { uid } = statSync(own);
  try {
    // What is put together there is not for others, who may see OUT.
    chmodSync(own, OWNER_ONLY);
    const probe = mkdtempSync(`${own}/owner-`);
    const isOurs = lstatSync(probe).uid === uid;
    rmdirSync(probe);
    if (isOurs) {
      dropStrange(own);
      return;
    }
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
  }
  throw new ShardctlError('USAGE', `${path} belongs to another user (${uid}), who could have fetch write elsewhere`, {
    hint: `run it as that user, or \`rm -r ${shellWord(path)}\`: then what OUT has is hashed, and used`,
  });
}

/**
 * Fetch makes nothing but files and directories there. A symlink came with a tree that has such a directory of its own and that `get`
 * restored, and leads wherever its writer likes: what is written, deleted or moved aside by its name would be elsewhere. A FIFO was put
 * there while the directory let others in, and would hold up whoever opens it.
 */
function dropStrange(own: string): void {
  for (const entry of readdirSync(own, { withFileTypes: true }))
    if (!entry.isFile() && !entry.isDirectory()) unlinkSync(`${own}/${entry.name}`);
}
