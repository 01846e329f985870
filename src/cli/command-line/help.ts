/** Help, laid out by yargs: loaded only when somebody asks for it, see `args.ts`. */
import yargs from 'yargs';
import { COMMON, type CommandSpec } from './command-spec.ts';
import { OPTIONS, type OptionName, type OptionSpec } from './options.ts';
import { COMMANDS } from './spec.ts';

/** @param columns width of the terminal */
export async function helpText(command: CommandSpec | undefined, columns: number): Promise<string> {
  const page = yargs([])
    .scriptName('shardctl')
    .help(false)
    .version(false)
    .locale('en')
    .wrap(Math.min(columns, 110))
    .updateStrings({ 'Options:': 'Common options:' });
  if (command === undefined) {
    page.usage(
      'Usage: shardctl COMMAND [OPTIONS]\n\nImports package mirrors into IPFS: UnixFS DAGs, packed into shards, spread over peers.',
    );
    for (const spec of COMMANDS) page.command([spec.words, ...spec.arguments].join(' '), spec.summary);
    page.epilogue(
      'REF is a repository (its newest snapshot), NAME@7, NAME@2026-11-25 (as it was\nat the end of that day, UTC), or a snapshot CID.\n`shardctl COMMAND --help` explains one command.',
    );
  } else {
    page.usage(`Usage: ${['shardctl', command.words, ...command.arguments, '[OPTIONS]'].join(' ')}\n\n${sentence(command.summary)}`);
    for (const example of command.examples ?? []) page.example(example, '');
    describe(command.options, 'Options of this command:');
  }
  describe(COMMON, undefined);
  // yargs takes a digit for the name of a long option, unless it is told of types, which it would print.
  return `${(await page.getHelp()).replaceAll(/, --(\d) /g, ', -$1  ')}\n`;

  function describe(names: readonly OptionName[], group: string | undefined): void {
    for (const name of names) {
      const option: OptionSpec = OPTIONS[name];
      page.option(option.value === undefined ? name : `${name} ${option.value}`, {
        description: option.help,
        ...(option.short === undefined ? {} : { alias: option.short }),
        ...(group === undefined ? {} : { group }),
      });
    }
  }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
