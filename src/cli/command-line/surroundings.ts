/** The current directory, the home and the bytes of the arguments. Each is looked at only when it is needed: the directory may be gone, and the user may have no home. */
import { isUtf8 } from 'node:buffer';
import { readFileSync, readlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import process from 'node:process';
import { displayPath } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type HomePaths, homePaths } from '../../home/home.ts';

/** What Node puts in the place of bytes that are not UTF-8. A name may also hold it rightly. */
const REPLACEMENT = '\uFFFD';

/** Makes a path of the command line absolute. @throws ShardctlError `USAGE` when it is relative, and the current directory is gone */
export type Absolute = (path: string) => string;

/** From the current directory on. When that is gone the process leaves it, because Node starts no thread there. */
export function fromHere(): Absolute {
  let here: string | ShardctlError;
  try {
    here = currentDirectory();
  } catch (error) {
    here = error as ShardctlError;
    process.chdir('/');
  }
  return (path) => {
    if (isAbsolute(path)) return resolve(path);
    if (typeof here !== 'string') throw here;
    return resolve(here, path);
  };
}

/** `--home` wins over `SHARDCTL_HOME`, which wins over `~/.shardctl`. @param flag the value of `--home` @throws ShardctlError `USAGE` */
export function chosenHome(flag: string | undefined, absolute: Absolute): HomePaths {
  return homePaths(absolute(flag ?? variable('SHARDCTL_HOME') ?? join(userHome(), '.shardctl')));
}

/**
 * Node decodes the command line, and a path that is not UTF-8 becomes another one.
 * @param argv as Node has decoded it @throws ShardctlError `USAGE`
 */
export function refuseOtherThanUtf8(argv: readonly string[]): void {
  if (!argv.some((argument) => argument.includes(REPLACEMENT))) return;
  const broken = asGiven('/proc/self/cmdline').slice(-argv.length).find(isBroken);
  if (broken !== undefined) throw notUtf8('argument', broken);
}

function currentDirectory(): string {
  let directory: string;
  try {
    directory = process.cwd();
  } catch (error) {
    throw new ShardctlError('USAGE', 'the current directory is gone', { hint: 'name absolute paths, or `cd` elsewhere', cause: error });
  }
  const bytes = directory.includes(REPLACEMENT) ? linkAt('/proc/self/cwd') : undefined;
  if (bytes !== undefined && isBroken(bytes)) throw notUtf8('current directory', bytes);
  return directory;
}

function userHome(): string {
  let directory = '';
  try {
    directory = homedir();
  } catch {
    // Neither HOME nor an entry in the list of users, as in many a container.
  }
  if (!isAbsolute(directory)) {
    throw new ShardctlError('USAGE', 'the home cannot be found: HOME is not set, and the list of users has no directory for this user', {
      hint: 'name the home with --home or SHARDCTL_HOME',
    });
  }
  if (directory === process.env.HOME) variable('HOME');
  return directory;
}

/** A variable of the environment; what is empty is not set. @throws ShardctlError `USAGE` when it is not UTF-8 */
export function variable(name: string): string | undefined {
  const value = process.env[name];
  const raw = value?.includes(REPLACEMENT) === true ? asGiven('/proc/self/environ').find((it) => it.indexOf(`${name}=`) === 0) : undefined;
  if (raw !== undefined && isBroken(raw)) throw notUtf8('variable', raw);
  return value || undefined;
}

/** The words in a file of `/proc`, as bytes; none where there is no `/proc`. */
function asGiven(file: string): Buffer[] {
  try {
    const text = readFileSync(file, 'latin1').replace(/\0$/, '');
    return text.split('\0').map((word) => Buffer.from(word, 'latin1'));
  } catch {
    return [];
  }
}

function linkAt(path: string): Buffer | undefined {
  try {
    return readlinkSync(path, 'buffer');
  } catch {
    return undefined;
  }
}

function isBroken(bytes: Buffer): boolean {
  return !isUtf8(bytes);
}

function notUtf8(what: string, bytes: Buffer): ShardctlError {
  return new ShardctlError('USAGE', `the ${what} "${displayPath(bytes.toString('latin1'))}" is not UTF-8`, {
    hint: 'name a symlink that leads there; patterns may stand in a file (--exclude-from)',
  });
}
