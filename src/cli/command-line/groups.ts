/** The commands by what somebody wants to do, in the order in which help and manual show them. */
import type { CommandSpec } from './command-spec.ts';
import { COMMANDS } from './spec.ts';

export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly CommandSpec[];
}

export const GROUPS: readonly CommandGroup[] = [
  group('Make, and bring up to date', 'add', 'update', 'watch', 'import-car', 'accept', 'publish'),
  group('Read', 'ls', 'find', 'du', 'cat', 'get', 'diff', 'export', 'mount', 'serve', 'fetch', 'follow'),
  group('Look after', 'status', 'snapshots', 'stats', 'tag', 'verify', 'repair', 'check', 'forget', 'prune', 'recover', 'rename', 'rm'),
  group('Peers', ...wordsFrom('peers'), 'rebalance'),
  group('Other', ...wordsFrom('config'), 'bench', 'completion', 'help', 'version'),
];

function group(title: string, ...all: readonly string[]): CommandGroup {
  return { title, commands: all.flatMap((words) => COMMANDS.filter((spec) => spec.words === words)) };
}

/** Of all commands whose first word this is. */
function wordsFrom(first: string): readonly string[] {
  return COMMANDS.flatMap(({ words }) => (words.split(' ')[0] === first ? [words] : []));
}
