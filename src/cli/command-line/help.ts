/** Help: lists of commands, and pages of one command, laid out by yargs. Loaded only when somebody asks for it, see `args.ts`. */
import yargs from 'yargs';
import { COMMON, type CommandSpec } from './command-spec.ts';
import { GROUPS } from './groups.ts';
import { helpOf, OPTIONS, type OptionName, type OptionSpec } from './options.ts';
import { COMMANDS } from './spec.ts';

/** Wider lines are hard to read. */
const MOST_COLUMNS = 110;

export const ABOUT = 'Imports package mirrors into IPFS: UnixFS DAGs, packed into shards, spread over peers.';
export const REFERENCES =
  'REF is a repository (its newest snapshot), NAME@7, NAME@TAG, NAME@2026-11-25 (as it was at the end of that day, UTC), or a snapshot CID.';

/** @param words of a command, of a group of them, or none for all @param columns width of the terminal */
export async function helpText(words: string, columns: number): Promise<string> {
  const width = Math.min(columns, MOST_COLUMNS);
  const command = COMMANDS.find((spec) => spec.words === words);
  if (command !== undefined) return await pageOf(command, width);
  return words === '' ? overview(width) : groupPage(words, width);
}

/** The first words on the page of a command. */
export function usageOf({ words, arguments: all }: CommandSpec): string {
  return ['shardctl', words, ...all, '[OPTIONS]'].join(' ');
}

/** The summary as a sentence. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function overview(width: number): string {
  return [
    'Usage: shardctl COMMAND [OPTIONS]',
    '',
    ...wrapped(ABOUT, width),
    '',
    ...GROUPS.flatMap(({ title, commands }) => [`${title}:`, ...listOf(commands, width), '']),
    ...wrapped(REFERENCES, width),
    '',
    '`shardctl help COMMAND` explains one command.',
    ...wrapped('SHARDCTL_MAX_DELETE in the environment stands for --max-delete, and so do others: see docs/config.md.', width),
    '',
  ].join('\n');
}

function groupPage(words: string, width: number): string {
  const commands = COMMANDS.filter((spec) => spec.words.startsWith(`${words} `));
  const last = `\`shardctl help ${words} COMMAND\` explains one of them.`;
  return [`Usage: shardctl ${words} COMMAND [OPTIONS]`, '', ...listOf(commands, width), '', last, ''].join('\n');
}

/** As wide as the widest of all, so that the lists of all groups begin in one column. */
const WORDS_COLUMNS = Math.max(...COMMANDS.map(({ words }) => words.length));

function listOf(commands: readonly CommandSpec[], width: number): string[] {
  const indent = WORDS_COLUMNS + 4;
  return commands.flatMap(({ words, brief, summary }) => {
    const [first = '', ...more] = wrapped(brief ?? summary, Math.max(width - indent, 20));
    return [`  ${words.padEnd(WORDS_COLUMNS)}  ${first}`, ...more.map((line) => ' '.repeat(indent) + line)];
  });
}

function wrapped(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string;
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

async function pageOf(command: CommandSpec, width: number): Promise<string> {
  const page = yargs([])
    .scriptName('shardctl')
    .help(false)
    .version(false)
    .locale('en')
    .wrap(width)
    .updateStrings({ 'Options:': 'Common options:' })
    .usage(`Usage: ${usageOf(command)}\n\n${sentence(command.summary)}`);
  for (const example of command.examples) page.example(example, '');
  describe(command.options, 'Options of this command:');
  describe(COMMON, undefined);
  // yargs takes a digit for the name of a long option, unless it is told of types, which it would print.
  return `${(await page.getHelp()).replaceAll(/, --(\d) /g, ', -$1  ')}\n`;

  function describe(names: readonly OptionName[], group: string | undefined): void {
    for (const name of names) {
      const option: OptionSpec = OPTIONS[name];
      page.option(option.value === undefined ? name : `${name} ${option.value}`, {
        description: helpOf(option),
        ...(option.short === undefined ? {} : { alias: option.short }),
        ...(group === undefined ? {} : { group }),
      });
    }
  }
}
