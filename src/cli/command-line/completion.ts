/** Completion of the command line by yargs: the script for the shell, and the words that the script asks for at each TAB. */
import yargs from 'yargs';
import { COMMON, type CommandSpec } from './command-spec.ts';
import { OPTIONS, type OptionName, type OptionSpec } from './options.ts';
import { COMMANDS, COMPLETION_REQUEST } from './spec.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Names that can be completed, read only when one is wanted. */
export interface Names {
  repositories(): readonly string[];
  /** What may follow the `@` after a repository's name: its tags, numbers of its snapshots, newest first, and the days of them. */
  snapshots(repository: string): Promise<readonly string[]>;
  peers(): readonly string[];
}

/**
 * In the place of that of yargs, which completes no word of which nothing is typed yet, and no names of files; the other shells complete
 * these where no word is known.
 */
const FISH = `function __shardctl_words
    set -l current (commandline -ct)
    set -l found (env SHELL=fish shardctl ${COMPLETION_REQUEST} (commandline -opc) "$current" 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c shardctl -f -a '(__shardctl_words)'
`;

/** The script that a shell reads once. It says which shell asks: yargs would go by SHELL, which is the shell of the login. */
export async function completionScript(shell: Shell): Promise<string> {
  if (shell === 'fish') return FISH;
  const script = await inShell(
    shell,
    () =>
      new Promise<string>((resolve) => {
        void yargs([])
          .scriptName('shardctl')
          .completion('completion')
          .parse('completion', {}, (_error: unknown, _argv: unknown, output: string) => resolve(output));
      }),
  );
  return script.replaceAll(`shardctl ${COMPLETION_REQUEST}`, `SHELL=${shell} shardctl ${COMPLETION_REQUEST}`);
}

/**
 * What can stand in the place of the last word, one a line as the script takes it; nothing where it is the name of a file, which the
 * shell completes itself.
 * @param typed the words after the program's name
 */
export async function completionsOf(typed: readonly string[], names: Names): Promise<readonly string[]> {
  const asksHelp = typed[0] === 'help' && typed.length > 1;
  const words = asksHelp ? typed.slice(1) : typed;
  const current = words.at(-1) ?? '';
  const { before, option } = read(words.slice(0, -1));
  if (option !== undefined) return valuesOf(option, names);
  const command = commandOf(before);
  const next = command === undefined ? wordsAfter(before) : new Map<string, string>();
  if (asksHelp ? command !== undefined : command === undefined && next.size === 0) return [];
  if (command !== undefined && !current.startsWith('-')) {
    const position = before.length - command.words.split(' ').length;
    // `config` is a command, and others begin with it.
    const more = position === 0 ? [...wordsAfter(before).keys()].filter((word) => word !== '') : [];
    return [...more, ...(await argumentsOf(command, position, current, names))];
  }
  const page = yargs([]).scriptName('shardctl').help(false).version(false).exitProcess(false);
  for (const [word, summary] of next) page.command(word, summary);
  for (const name of [...(command?.options ?? []), ...COMMON]) {
    const { help, short }: OptionSpec = OPTIONS[name];
    page.option(name, { description: help, ...(short === undefined ? {} : { alias: short }) });
  }
  return await new Promise<readonly string[]>((resolve, reject) => {
    page.getCompletion([...words], (error, completions) => {
      if (error === null) resolve(completions ?? []);
      else reject(error);
    });
  });
}

/** Where a home is in the words typed so far. */
export function homeIn(words: readonly string[]): string | undefined {
  const at = words.lastIndexOf('--home');
  return words.findLast((word) => word.startsWith('--home='))?.slice('--home='.length) ?? (at < 0 ? undefined : words[at + 1]);
}

/** @returns the words that are no option, and the option whose value comes next, if the last one wants a value */
function read(words: readonly string[]): { readonly before: readonly string[]; readonly option: OptionName | undefined } {
  const before: string[] = [];
  let option: OptionName | undefined;
  for (const word of words) {
    if (option !== undefined) option = undefined;
    else if (word.startsWith('-')) option = wantsValue(word);
    else before.push(word);
  }
  return { before, option };
}

function wantsValue(word: string): OptionName | undefined {
  const found = (Object.entries(OPTIONS) as [OptionName, OptionSpec][]).find(
    ([name, { short }]) => word === `--${name}` || word === `-${short}`,
  );
  if (found === undefined) return undefined;
  const [name, { value, isValueOptional }] = found;
  return value === undefined || isValueOptional === true ? undefined : name;
}

function commandOf(before: readonly string[]): CommandSpec | undefined {
  return COMMANDS.find(({ words }) => `${before.join(' ')} `.startsWith(`${words} `));
}

/** The words that may follow these on the way to a command, each with what it does, or with the words that follow it in turn. */
function wordsAfter(before: readonly string[]): ReadonlyMap<string, string> {
  const next = new Map<string, string>();
  const following = COMMANDS.filter(({ words }) => words.startsWith(before.map((word) => `${word} `).join('')));
  for (const { words, summary } of following) {
    const [word = '', ...more] = words.split(' ').slice(before.length);
    const known = next.get(word);
    next.set(word, more.length === 0 ? summary : known === undefined ? more.join(' ') : `${known}, ${more.join(' ')}`);
  }
  return next;
}

/** @param position of the argument among those of the command, from 0 @param current what is typed of it */
async function argumentsOf({ arguments: all }: CommandSpec, position: number, current: string, names: Names): Promise<readonly string[]> {
  const last = all.at(-1);
  const argument = all[position] ?? (last?.includes('…') === true ? last : '');
  const [, repository] = /^([^@/]+)@[^@/]*$/.exec(current) ?? [];
  if (argument.includes('REF') && repository !== undefined)
    return (await names.snapshots(repository)).map((snapshot) => `${repository}@${snapshot}`);
  if (argument.includes('SETTING')) return (await import('./settings-table.ts')).SETTING_NAMES;
  if (/NAME|REF|OLD/.test(argument)) return names.repositories();
  if (/PEER/.test(argument)) return names.peers();
  if (/SHELL/.test(argument)) return SHELLS;
  return [];
}

function valuesOf(option: OptionName, names: Names): readonly string[] {
  if (option === 'repository') return names.repositories();
  return option === 'peer' ? names.peers() : [];
}

/** yargs asks the environment which shell it writes for. */
async function inShell<T>(shell: Shell, work: () => Promise<T>): Promise<T> {
  const before = process.env.SHELL;
  process.env.SHELL = `/bin/${shell}`;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env.SHELL;
    else process.env.SHELL = before;
  }
}
