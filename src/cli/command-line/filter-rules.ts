/** The rules of `--exclude`, `--include` and `--exclude-from`, as rsync reads these three. */
import { displayPath, shellWord } from '../../core/display.ts';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import type { Args } from './args.ts';
import { readFileOrStdin } from './file-or-stdin.ts';
import type { Absolute } from './surroundings.ts';

/** rsync leaves out a rule with a longer one, and says so: no path is longer. */
const MAX_PATTERN_BYTES = 4095;

/** In the order in which they were given: the first that matches wins. @throws ShardctlError `USAGE` */
export function readFilters(args: Pick<Args, 'all'>, absolute: Absolute): ByteString[] {
  let rules: ByteString[] = [];
  for (const { name, value } of args.all('exclude', 'include', 'exclude-from')) {
    for (const pattern of name === 'exclude-from' ? patternsIn(value, absolute) : [toBytes(value)]) {
      if (pattern === '!') rules = [];
      else rules.push(ruleOf(pattern, name === 'include' ? '+' : '-', `--${name}`));
    }
  }
  return rules;
}

/** The option that makes this rule: with the pattern alone, if that is read as one. */
export function optionOf(rule: ByteString): { readonly option: 'exclude' | 'include'; readonly value: ByteString } {
  const pattern = rule.slice(2);
  const isAmbiguous = pattern === '!' || /^[-+] /.test(pattern) || isOfFilter(pattern);
  return { option: rule.startsWith('-') ? 'exclude' : 'include', value: isAmbiguous ? rule : pattern };
}

/** Empty lines and those that begin with `#` or `;` are comments. A carriage return ends a line, too. All other bytes stay as they are. */
function patternsIn(file: string, absolute: Absolute): ByteString[] {
  let text: ByteString;
  try {
    text = readFileOrStdin(file, absolute).toString('latin1');
  } catch (error) {
    throw new ShardctlError('USAGE', `cannot read the patterns in ${file}: ${errnoOf(error) ?? String(error)}`, { cause: error });
  }
  if (text.includes('\0')) {
    throw new ShardctlError('USAGE', `${file} holds a zero byte: patterns stand one a line`, {
      hint: `a list made for rsync's --from0: \`tr '\\0' '\\n'${file === '-' ? '' : ` <${shellWord(file)}`} | shardctl add DIR --exclude-from -\``,
    });
  }
  return text.split(/[\r\n]+/).filter((line) => line !== '' && !/^[#;]/.test(line));
}

/** A pattern may say itself whether it excludes (`- `) or includes (`+ `). */
function ruleOf(text: ByteString, sign: '+' | '-', option: string): ByteString {
  const rule = /^[-+] /.test(text) ? text : `${sign} ${text}`;
  const bytes = rule.length - 2;
  // rsync passes over an empty --exclude. But what a script meant to exclude with a variable that is not set must not be published.
  if (bytes === 0) {
    throw new ShardctlError('USAGE', `a pattern of ${option} is empty`, { hint: 'leave the option out where there is nothing to say' });
  }
  if (bytes > MAX_PATTERN_BYTES) {
    throw new ShardctlError('USAGE', `a pattern of ${option} has ${bytes} bytes, and no path has more than ${MAX_PATTERN_BYTES}`, {
      hint: 'write a shorter one',
    });
  }
  if (rule !== text && isOfFilter(text)) {
    const shown = displayPath(text);
    throw new ShardctlError('USAGE', `"${shown}" is a rule of rsync's --filter, which ${option} does not take`, {
      hint: `${option} takes PATTERN, "- PATTERN", "+ PATTERN" and "!"; for what has that very name write "${sign} ${shown}"`,
    });
  }
  return rule;
}

/**
 * rsync's --exclude would look for a file of that name. Whoever wrote the line meant something else: to read it so would import what
 * should have been left out, or the other way round.
 */
function isOfFilter(text: ByteString): boolean {
  return (
    /^(?:merge|dir-merge|exclude|include|hide|show|protect|risk)(?:,[^ ]*)? ./s.test(text) ||
    /^[HSPR](?:,[/!srpx]+|[/!][/!srpx]*)? ./s.test(text) ||
    /^[-+](?:,?[/!Csrpx]+) ./s.test(text) ||
    /^(?::|\.(?=[-+, ]))(?:,?[-+Cenw/srpx]+)? ./s.test(text) ||
    /^[:-],?C$/.test(text)
  );
}
