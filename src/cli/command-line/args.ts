/**
 * Reads the command line with Node's own parser; yargs writes the help (`help.ts`) and completes words (`completion.ts`).
 *
 * yargs would parse it, too, but every start would pay for it, and an update that finds nothing to do is little more than a start.
 * Measured with Node 20, the best of 15 starts that read `update --all -q --lock-wait 600`: 59 ms for a Node that does nothing, 71 ms
 * with this file and what it imports, 142 ms when yargs is loaded, 224 ms when yargs has parsed, knowing the same options. Besides,
 * yargs collects the values of each option by itself, so that the order of `--exclude` and `--include` among each other is lost, and
 * in that order they are rules.
 *
 * Values stay strings: a repository may be called `007`.
 */
import { parseArgs } from 'node:util';
import { displayUrl } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { COMMON, type CommandSpec } from './command-spec.ts';
import { type FromVariable, fromVariables, type Variables } from './environment.ts';
import { nearest } from './nearest.ts';
import { OPTIONS, type OptionName, type OptionSpec } from './options.ts';
import { COMMANDS } from './spec.ts';

/** `debian@7` has none. */
function withoutCredentials(word: string): string {
  return /^([a-z][a-z0-9+.-]*:\/\/|[^/@]*:[^/@]*@)/i.test(word) ? displayUrl(word) : word;
}

interface Given {
  readonly name: OptionName;
  readonly value: string | undefined;
  /** As it was written, without a value. */
  readonly raw: string;
}

/** A command line that is in order: known command, known options, the right number of arguments. */
export class Args {
  readonly command: CommandSpec;
  readonly positionals: readonly string[];
  /** Options that the environment says. */
  readonly fromVariables: readonly FromVariable[];
  readonly #typed: readonly Given[];
  readonly #given: readonly Pick<Given, 'name' | 'value'>[];

  constructor(command: CommandSpec, positionals: readonly string[], typed: readonly Given[], variables: readonly FromVariable[]) {
    this.command = command;
    this.positionals = positionals;
    this.fromVariables = variables;
    this.#typed = typed;
    this.#given = [...typed, ...variables];
  }

  /**
   * What was run, without options, as other runs, logs and hooks are told of it: URLs lose their credentials, and the value of a setting
   * is left out, since a hook's command line may hold a token.
   */
  get shown(): string {
    const told = this.positionals.filter((_, at) => !/^\[?VALUE\]?$/.test(this.command.arguments[at] ?? ''));
    return `shardctl ${[this.command.words, ...told.map(withoutCredentials)].join(' ')}`;
  }

  /** An argument that the command cannot be without, counted from 0. */
  argument(position: number): string {
    const argument = this.positionals[position];
    if (argument === undefined) throw new Error(`\`${this.command.words}\` was parsed without argument ${position}`);
    return argument;
  }

  /** As if there were no variables: for what is written down, and holds for later runs, too. */
  get typed(): Args {
    return new Args(this.command, this.positionals, this.#typed, []);
  }

  /** Said by the command line, and not by the environment, which is there for other commands, too. */
  isTyped(name: OptionName): boolean {
    return this.flag(name) && !this.fromVariables.some((one) => one.name === name);
  }

  flag(name: OptionName): boolean {
    return this.#given.some((given) => given.name === name);
  }

  /** The value of an option; the last one counts. */
  text(name: OptionName): string | undefined {
    return this.#given.findLast((given) => given.name === name)?.value;
  }

  /** Every occurrence of these options, in the order of the command line; each line of a variable is one. */
  all(...names: readonly OptionName[]): readonly { readonly name: OptionName; readonly value: string }[] {
    return this.#given.filter(({ name }) => names.includes(name)).map(({ name, value = '' }) => ({ name, value }));
  }
}

/** `help`: of a command, of those whose words begin with these, or of all. */
export type Parsed =
  | { readonly kind: 'run'; readonly args: Args }
  | { readonly kind: 'help'; readonly words: string }
  | { readonly kind: 'version'; readonly json: boolean };

/** @throws ShardctlError `USAGE`, its hint naming the help to read */
export function parseCommandLine(argv: readonly string[], variables: Variables = () => undefined): Parsed {
  if (argv.length === 0) return { kind: 'help', words: '' };
  const { words: all, given: asWritten } = split(argv);
  const asksHelp = all[0] === 'help';
  const words = asksHelp ? all.slice(1) : all;
  const command = COMMANDS.find((spec) => `${words.join(' ')} `.startsWith(`${spec.words} `));
  const given = command === undefined ? asWritten : asWritten.map((one) => ofCommand(one, command, words));
  const says = (option: OptionName) => given.some(({ name }) => name === option);
  if (says('version')) return { kind: 'version', json: says('json') };
  if (asksHelp) refuseBeside(words, command, given);
  if (asksHelp || says('help')) return { kind: 'help', words: command?.words ?? groupOf(words) };
  if (command === undefined) throw unknownCommand(words);

  const stranger = given.find(({ name }) => !COMMON.includes(name) && !command.options.includes(name));
  if (stranger !== undefined)
    throw unknownOption(`unknown option --${stranger.name} for \`shardctl ${command.words}\``, stranger.name, command);
  const positionals = words.slice(command.words.split(' ').length);
  refuseEmpty(command, positionals, given);
  const missing = command.arguments.slice(positionals.length).find((argument) => !argument.startsWith('['));
  if (missing !== undefined) throw usage(`${missing} is missing`, command);
  const isOpen = command.arguments.at(-1)?.includes('…') === true;
  if (!isOpen && positionals.length > command.arguments.length)
    throw usage(`one argument too many: "${positionals[command.arguments.length]}"`, command);
  if (command.words === 'version') return { kind: 'version', json: says('json') };
  const said = fromVariables(command, new Set(given.map(({ name }) => name)), variables);
  return { kind: 'run', args: new Args(command, positionals, given, said) };
}

/** `help` itself explains one command and is for people; `--help` may be added to whatever has been typed. */
function refuseBeside(words: readonly string[], command: CommandSpec | undefined, given: readonly Given[]): void {
  const help = COMMANDS.find((spec) => spec.words === 'help');
  const more = command === undefined ? undefined : words[command.words.split(' ').length];
  if (more !== undefined) throw usage(`one argument too many: "${more}"`, help);
  const stranger = given.find(({ name }) => name === 'json' || !COMMON.includes(name));
  if (stranger !== undefined) throw usage(`\`shardctl help\` has no --${stranger.name}`, help);
}

/** As for ls, du and rsync, `-h` beside something to list is no cry for help. */
function ofCommand(one: Given, { words, options }: CommandSpec, given: readonly string[]): Given {
  const isHuman = one.raw === '-h' && options.includes('human-readable') && given.length > words.split(' ').length;
  return isHuman ? { ...one, name: 'human-readable' } : one;
}

/** An empty argument is a variable that was not set, and is never taken for the current directory. */
function refuseEmpty(command: CommandSpec, positionals: readonly string[], given: readonly Given[]): void {
  const empty = positionals.indexOf('');
  if (empty >= 0) throw usage(`${command.arguments[Math.min(empty, command.arguments.length - 1)] ?? 'an argument'} is empty`, command);
  const option = given.find(({ name, value }) => value === '' && (OPTIONS[name] as OptionSpec).isValueOptional !== true);
  if (option !== undefined) throw usage(`--${option.name} is empty`, command);
}

/** A mistake in the arguments of a command. @param meant what may have been meant instead */
export function usage(message: string, command?: CommandSpec, meant: readonly string[] = []): ShardctlError {
  const help = `try \`shardctl ${command === undefined ? '' : `${command.words} `}--help\``;
  return new ShardctlError('USAGE', message, { hint: meant.length === 0 ? help : `did you mean ${meant.join(' or ')}? Else ${help}` });
}

/** @param name without its dashes, as it was typed */
function unknownOption(message: string, name: string, command: CommandSpec | undefined): ShardctlError {
  const known: readonly string[] = [...(command?.options ?? []), ...COMMON];
  return usage(
    message,
    command,
    nearest(name, known).map((word) => `--${word}`),
  );
}

function split(argv: readonly string[]): { words: string[]; given: Given[] } {
  const options = Object.fromEntries(
    Object.entries<OptionSpec>(OPTIONS).map(([name, { short, value }]) => {
      const type = value === undefined ? ('boolean' as const) : ('string' as const);
      return [name, short === undefined ? { type } : { type, short }];
    }),
  );
  const words: string[] = [];
  const given: Given[] = [];
  try {
    // Node takes a value that begins with "-" for a forgotten one; -1 for a replication factor must be allowed.
    const args = withValues(argv);
    for (const token of parseArgs({ args, options, allowPositionals: true, strict: true, tokens: true }).tokens) {
      if (token.kind === 'positional') words.push(token.value);
      if (token.kind === 'option') given.push({ name: token.name as OptionName, value: token.value, raw: token.rawName });
    }
  } catch (error) {
    const command = COMMANDS.find((spec) => `${argv.join(' ')} `.startsWith(`${spec.words} `));
    const message = plain(error as Error);
    const [, unknown] = /^unknown option --([^ ]+)$/.exec(message) ?? [];
    throw unknown === undefined ? usage(message, command) : unknownOption(message, unknown, command);
  }
  return { words, given };
}

/** Options whose value may be left out; it is never the next argument. */
const OPTIONAL = new Set(
  Object.entries<OptionSpec>(OPTIONS).flatMap(([name, { isValueOptional }]) => (isValueOptional === true ? [`--${name}`] : [])),
);

/** Options whose value may begin with a minus and a digit. */
const NEGATIVE = new Set(['--replication', '--size', '--range']);

/** Options whose value may be a rule, for example `- *.tmp`. */
const RULES = new Set(['--exclude', '--include']);

function withValues(argv: readonly string[]): string[] {
  const out: string[] = [];
  // `config replication -1`: the value is moved behind `--`, as Node would take it for an option.
  const last: string[] = [];
  for (const arg of argv) {
    if (/^-\d/.test(arg) && NEGATIVE.has(out.at(-1) ?? '')) out[out.length - 1] += `=${arg}`;
    else if (/^-\d/.test(arg) && out.at(-1) === 'replication' && !argv.includes('--')) last.push(arg);
    // No option begins with "- ", and a rule that excludes does.
    else if (arg.startsWith('- ') && RULES.has(out.at(-1) ?? '')) out[out.length - 1] += `=${arg}`;
    else if (OPTIONAL.has(arg)) out.push(`${arg}=`);
    else out.push(arg);
  }
  return last.length > 0 ? [...out, '--', ...last] : out;
}

/** Node's message without the advice that follows it: `unknown option --foo`. */
function plain(error: Error): string {
  const [line = ''] = error.message.split('\n');
  const [sentence = ''] = line.split(/\.(?= |$)/);
  return sentence.replaceAll("'", '').replace(/^[A-Z]/, (letter) => letter.toLowerCase());
}

/** The words if commands begin with them. @throws ShardctlError `USAGE` */
function groupOf(words: readonly string[]): string {
  if (words.includes('')) throw usage('COMMAND is empty');
  const group = words.join(' ');
  if (group === '' || COMMANDS.some((spec) => spec.words.startsWith(`${group} `))) return group;
  throw unknownCommand(words);
}

function unknownCommand(words: readonly string[]): ShardctlError {
  if (words.length === 0) return usage('no command given');
  // As many of the words as lead on to a command.
  const led = words.findIndex(
    (_, count) => !COMMANDS.some((spec) => `${spec.words} `.startsWith(`${words.slice(0, count + 1).join(' ')} `)),
  );
  const right = led < 0 ? words : words.slice(0, led);
  const next = new Set(
    COMMANDS.filter((spec) => `${spec.words} `.startsWith(right.map((word) => `${word} `).join(''))).map(
      (spec) => spec.words.split(' ')[right.length] as string,
    ),
  );
  const wrong = words[right.length];
  const meant = wrong === undefined ? [] : nearest(wrong, [...next]).map((word) => [...right, word].join(' '));
  if (right.length === 0) return usage(`unknown command "${wrong}"`, undefined, meant);
  const group = right.join(' ');
  const hint = meant.length === 0 ? [] : [`did you mean ${meant.join(' or ')}?`];
  return new ShardctlError('USAGE', `\`shardctl ${group}\` needs one of: ${[...next].join(', ')}`, {
    hint: [...hint, `try \`shardctl ${group} --help\``].join(' Else '),
  });
}
