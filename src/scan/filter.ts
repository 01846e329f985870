/**
 * Exclude and include rules as rsync has them: `- PATTERN` and `+ PATTERN`, the first that matches wins, and what none
 * matches is included. A leading `/` anchors at the root of the source, a trailing `/` matches directories only, `*` stops
 * at `/`, `**` does not, `dir/***` is the directory and everything in it. A pattern without `/` (but for a trailing one)
 * is matched against the last component, any other against the end of the path. An excluded directory is not descended into.
 */
import { ShardctlError } from '../errors.ts';
import type { ByteString } from '../model.ts';

export interface Filter {
  /** Without a rule nothing is excluded. */
  readonly isEmpty: boolean;
  excludes(path: ByteString, isDirectory: boolean): boolean;
}

interface Rule {
  readonly exclude: boolean;
  readonly directoriesOnly: boolean;
  readonly pattern: RegExp;
}

/** @param rules lines `- PATTERN` or `+ PATTERN`, patterns as byte strings */
export function compileFilter(rules: readonly ByteString[]): Filter {
  const compiled = rules.map(compileRule);
  return {
    isEmpty: rules.length === 0,
    excludes(path, isDirectory) {
      for (const rule of compiled) {
        if ((isDirectory || !rule.directoriesOnly) && rule.pattern.test(path)) return rule.exclude;
      }
      return false;
    },
  };
}

function compileRule(line: ByteString): Rule {
  const match = /^([-+]) (.+)$/s.exec(line);
  if (match === null) {
    throw new ShardctlError('USAGE', `bad filter rule "${line}"`, { hint: 'write "- PATTERN" or "+ PATTERN", as for rsync' });
  }
  let pattern = match[2] as string;
  const directoriesOnly = pattern.length > 1 && pattern.endsWith('/');
  if (directoriesOnly) pattern = pattern.slice(0, -1);
  const anchored = pattern.startsWith('/');
  if (anchored) pattern = pattern.slice(1);
  // A pattern that begins with `**` is matched against the whole path, as if that began with a slash.
  const start = anchored ? '^' : pattern.startsWith('**/') ? '^(?:.*/)?' : '(?:^|/)';
  if (!anchored && pattern.startsWith('**/')) pattern = pattern.slice(3);
  return { exclude: match[1] === '-', directoriesOnly, pattern: new RegExp(`${start}${translate(pattern)}$`, 's') };
}

/** An rsync pattern as the source of a RegExp over byte strings. */
function translate(pattern: string): string {
  let out = '';
  for (let i = 0; i < pattern.length; ) {
    const rest = pattern.slice(i);
    const set = /^\[([!^]?)(\]?[^\]]*)\]/.exec(rest);
    if (rest === '/***') {
      out += '(?:/.*)?';
      i += 4;
    } else if (rest.startsWith('**')) {
      out += '.*';
      i += 2;
    } else if (rest.startsWith('*')) {
      out += '[^/]*';
      i += 1;
    } else if (rest.startsWith('?')) {
      out += '[^/]';
      i += 1;
    } else if (set !== null) {
      out += `[${set[1] === '' ? '' : '^'}${(set[2] as string).replace(/[\\\][^]/g, '\\$&')}]`;
      i += set[0].length;
    } else {
      if (rest.startsWith('\\') && rest.length > 1) i += 1;
      out += (pattern[i] as string).replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
      i += 1;
    }
  }
  return out;
}
