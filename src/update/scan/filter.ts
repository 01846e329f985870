/**
 * Exclude and include rules as rsync has them: `- PATTERN` and `+ PATTERN`, the first that matches wins, and what none
 * matches is included. A leading `/` anchors at the root of the source, a trailing `/` matches directories only, `*` stops
 * at `/`, `**` does not, `dir/***` is the directory and everything in it. A pattern without `/` (but for a trailing one) and
 * without `**` is matched against the last component, any other against the end of the path. An excluded directory is not descended into.
 */
import { ShardctlError } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { Matcher, parsePattern } from './pattern.ts';

export interface Filter {
  excludes(path: ByteString, isDirectory: boolean): boolean;
  /** Whether a file at this path is left out: by itself, or with a directory above it, which is not descended into. */
  leavesOut(path: ByteString): boolean;
}

interface Rule {
  readonly exclude: boolean;
  matches(path: ByteString, isDirectory: boolean): boolean;
}

/** @param rules lines `- PATTERN` or `+ PATTERN`, patterns as byte strings */
export function compileFilter(rules: readonly ByteString[]): Filter {
  const compiled = rules.map(compileRule);
  const excludes: Filter['excludes'] = (path, isDirectory) => {
    for (const rule of compiled) if (rule.matches(path, isDirectory)) return rule.exclude;
    return false;
  };
  return {
    excludes,
    leavesOut(path) {
      if (compiled.length === 0) return false;
      for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) if (excludes(path.slice(0, end), true)) return true;
      return excludes(path, false);
    },
  };
}

function compileRule(line: ByteString): Rule {
  const match = /^([-+]) (.+)$/s.exec(line);
  if (match === null) {
    throw new ShardctlError('USAGE', `bad filter rule "${line}"`, { hint: 'write "- PATTERN" or "+ PATTERN", as for rsync' });
  }
  const [, sign, whole] = match as unknown as [string, string, ByteString];
  const directoriesOnly = whole.length > 1 && whole.endsWith('/');
  const pattern = directoriesOnly ? whole.slice(0, -1) : whole;
  // Where there is no wildcard, a backslash is an ordinary byte.
  const matches = /[*?[]/.test(pattern) ? wildcards(pattern) : literal(pattern);
  return {
    exclude: sign === '-',
    matches: (path, isDirectory) => (isDirectory || !directoriesOnly) && matches(path, isDirectory),
  };
}

function literal(pattern: ByteString): Rule['matches'] {
  if (pattern.startsWith('/')) {
    const anchored = pattern.slice(1);
    return (path) => path === anchored;
  }
  const below = `/${pattern}`;
  return (path) => path === pattern || path.endsWith(below);
}

function wildcards(pattern: ByteString): Rule['matches'] {
  const isAnchored = pattern.startsWith('/');
  const matcher = new Matcher(parsePattern(isAnchored ? pattern.slice(1) : pattern));
  if (!pattern.includes('**')) {
    if (isAnchored) return (path) => matcher.matches(path, 0, false);
    const slashes = pattern.split('/').length - 1;
    return (path) => {
      const from = lastComponents(path, slashes + 1);
      return from !== undefined && matcher.matches(path, from, false);
    };
  }
  // A pattern that begins with `**` is matched against the whole path as if that began with a slash; without an anchor, any other may begin after each slash.
  const prefix = pattern.startsWith('**') ? '/' : '';
  const anywhere = !isAnchored && prefix === '';
  // So that `dir/***` matches the directory too: it alone ends in a slash here.
  const suffix = pattern.endsWith('***') ? '/' : '';
  return (path, isDirectory) => matcher.matches(isDirectory ? `${prefix}${path}${suffix}` : `${prefix}${path}`, 0, anywhere);
}

/** Where the last so many components of a path begin; undefined when it has fewer. */
function lastComponents(path: ByteString, count: number): number | undefined {
  let from = path.length;
  for (let i = 0; i < count; i++) {
    if (from < 0) return undefined;
    from = from === 0 ? -1 : path.lastIndexOf('/', from - 1);
  }
  return from + 1;
}
