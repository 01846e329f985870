/**
 * Where symlinks lead, for a repository that stores what they lead to. The source is a boundary: a link is followed as long as every
 * step of its way is inside it, one component after the other, because what the kernel resolves by itself may lead anywhere.
 */
import { type BigIntStats, realpathSync } from 'node:fs';
import { isGone } from '../../core/errno.ts';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import type { Event, KeptLink } from '../../core/events.ts';
import { type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { fsPath, joinBytes } from '../../core/path-bytes.ts';
import { lookAgain } from '../../source/look.ts';
import type { Reach } from '../../source/reach.ts';
import type { Source } from '../../source/source.ts';
import { kindOf } from './kinds.ts';

/** What a link leads to. */
export interface Led {
  readonly kind: typeof FILE | typeof DIRECTORY;
  /** Path in the source, without a symlink in it. */
  readonly origin: ByteString;
  readonly stat: BigIntStats;
}

/** As many as Linux follows for one path. */
const MOST_LINKS = 40;
/** Ten directories with ten links each to the next are ten billion entries: such a source is refused, and not walked for ever. */
const MOST_ENTRIES = 2_000_000;

export class Links {
  readonly #source: ByteString;
  readonly #reach: Reach;
  readonly #mostEntries: number;
  /** The source as an absolute link may name it, in components. */
  #names: readonly (readonly ByteString[])[] | undefined;
  /** The last path whose way was asked for, in components, and the origins on it from the root down. */
  #path: readonly ByteString[] = [];
  #way: readonly ByteString[] = [''];
  #entries = 0;
  readonly #kept: Record<KeptLink, number> = { outside: 0, nowhere: 0, round: 0 };
  readonly #first: Partial<Record<KeptLink, string>> = {};

  constructor({ handle, reach }: Pick<Source, 'handle' | 'reach'>, mostEntries = MOST_ENTRIES) {
    this.#source = handle.path;
    this.#reach = reach;
    this.#mostEntries = mostEntries;
  }

  /**
   * @param way origins through which the link is reached, that of the directory in which it is last
   * @throws the errno of what cannot be looked at
   */
  follow(way: readonly ByteString[], name: ByteString): Led | KeptLink {
    const at = componentsOf(way.at(-1) ?? '');
    const ahead = [name];
    let links = 0;
    let last: BigIntStats | undefined;
    for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
      if (last !== undefined && !last.isDirectory()) return 'nowhere';
      if (next === '' || next === '.') continue;
      if (next === '..') {
        if (at.pop() === undefined) return 'outside';
        last = undefined;
        continue;
      }
      const stat = this.#stat(at.join('/'), next);
      if (stat === undefined) return 'nowhere';
      if (stat.isSymbolicLink()) {
        if (++links > MOST_LINKS) return 'round';
        const target = this.#target([...at, next].join('/'));
        if (target === undefined) {
          ahead.push(next);
          continue;
        }
        const inside = target.startsWith('/') ? this.#inside(target) : target.split('/');
        if (inside === undefined) return 'outside';
        if (target.startsWith('/')) at.length = 0;
        for (let i = inside.length - 1; i >= 0; i--) ahead.push(inside[i] as ByteString);
        last = undefined;
      } else {
        at.push(next);
        last = stat;
      }
    }
    const led = at.join('/');
    const stat = last ?? this.#stat(led, '.');
    const kind = stat === undefined ? undefined : kindOf(Number(stat.mode));
    if (stat === undefined || (kind !== FILE && kind !== DIRECTORY)) return 'nowhere';
    return kind === DIRECTORY && way.includes(led) ? 'round' : { kind, origin: led, stat };
  }

  /**
   * The origins of a directory and of those above it, from the root down, by its path in the tree.
   * @returns undefined when it is none any more @throws the errno of what cannot be looked at
   */
  wayTo(path: ByteString): readonly ByteString[] | undefined {
    const names = componentsOf(path);
    let known = 0;
    while (known < names.length && names[known] === this.#path[known]) known++;
    const way = this.#way.slice(0, known + 1);
    for (const name of names.slice(known)) {
      const above = way.at(-1) as ByteString;
      const here = joinBytes(above, name);
      const stat = this.#stat(above, name);
      const led = stat?.isSymbolicLink() ? this.follow(way, name) : undefined;
      if (led === undefined ? stat?.isDirectory() !== true : typeof led === 'string' || led.kind !== DIRECTORY) return undefined;
      way.push(typeof led === 'object' ? led.origin : here);
    }
    this.#path = names;
    this.#way = way;
    return way;
  }

  /** A link that stays one. @param shown its path */
  keep(why: KeptLink, shown: string): void {
    this.#kept[why]++;
    this.#first[why] ??= shown;
  }

  /** What there is to tell of links that stay links. */
  get kept(): Extract<Event, { type: 'links-kept' }> | undefined {
    if (Object.keys(this.#first).length === 0) return undefined;
    return { type: 'links-kept', counts: { ...this.#kept }, first: { ...this.#first } };
  }

  /** Counts what is reached through links. @throws ShardctlError `USAGE` when that has no end */
  count(entries: number, shown: string): void {
    this.#entries += entries;
    if (this.#entries <= this.#mostEntries) return;
    throw new ShardctlError('USAGE', `symlinks lead to more than ${this.#mostEntries} entries, and through one another: last to ${shown}`, {
      hint: 'leave some of them out with --exclude, or add without --copy-links',
    });
  }

  /** Undefined when there is no such entry. */
  #stat(origin: ByteString, name: ByteString): BigIntStats | undefined {
    return unless('ENAMETOOLONG', () => lookAgain(this.#reach, origin, name));
  }

  /** Undefined when it is no link any more. */
  #target(origin: ByteString): ByteString | undefined {
    return unless('EINVAL', () => this.#reach.readLink(origin).toString('latin1'));
  }

  /** The components behind the source's own in an absolute path; undefined when it leads elsewhere. A file has no `/` or `/.` behind it. */
  #inside(target: ByteString): ByteString[] | undefined {
    this.#names ??= [this.#source, realPathOf(this.#source)].map((path) => plain(componentsOf(path)));
    const components = plain(componentsOf(target));
    const own = this.#names.find((names) => names.every((name, i) => components[i] === name));
    return own && [...components.slice(own.length), ...(/\/\.?$/.test(target) ? [''] : [])];
  }
}

/** Undefined when what is asked for is not there, or fails with this errno. */
function unless<T>(errno: string, ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    const its = errnoOf(error);
    if (isGone(its) || its === errno) return undefined;
    throw error;
  }
}

function componentsOf(path: ByteString): ByteString[] {
  return path === '' ? [] : path.split('/');
}

function plain(components: readonly ByteString[]): ByteString[] {
  return components.filter((name) => name !== '' && name !== '.');
}

function realPathOf(source: ByteString): ByteString {
  try {
    return realpathSync.native(fsPath(source), 'latin1');
  } catch {
    return source;
  }
}
