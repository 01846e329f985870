/**
 * Options by the environment: what the command line does not say of `--max-delete` says `SHARDCTL_MAX_DELETE`. One rule for every option
 * but those in `WITHOUT_VARIABLE`. A variable that no option of the command has is passed over: the environment is that of many commands.
 */
import { ShardctlError } from '../../core/errors.ts';
import { COMMON, type CommandSpec, KEEP } from './command-spec.ts';
import { OPTIONS, type OptionName, type OptionSpec } from './options.ts';

/** An option that is said by a variable. */
export interface FromVariable {
  readonly name: OptionName;
  readonly value: string | undefined;
  readonly variable: string;
}

/** The value of a variable; undefined where it is not set, or empty. */
export type Variables = (name: string) => string | undefined;

/** Options that the environment cannot say, by why: docs/config.md has them. */
export const WITHOUT_VARIABLE: readonly { readonly why: string; readonly options: readonly OptionName[] }[] = [
  {
    why: 'what this one run is about, and the form of what it prints',
    options: [
      'json',
      'root-only',
      'itemize',
      'long',
      'recursive',
      'human-readable',
      'print0',
      'name',
      'source',
      'repository',
      'root',
      'peer',
      'from',
      'into',
      'owner',
      'take-key',
      'all',
      'files-from',
      'from-rsync',
      'full-every',
      'exclude',
      'include',
      'exclude-from',
      'output',
      'car',
      'range',
      'type',
      'size',
      'newer',
      'max-depth',
      'summarize',
      'at-risk',
      'shards',
      'read-data',
      'against',
      'snapshot',
      'dest',
      'rounds',
      'tools',
      'html',
    ],
  },
  { why: 'some commands have no dry run, and would do their work', options: ['dry-run'] },
  {
    why: 'what forgets, deletes, overwrites, or opens something to others',
    options: [
      'delete',
      'overwrite',
      'force',
      'orphans',
      ...KEEP,
      'move',
      'remove',
      'undo',
      'unset',
      'restore',
      'older',
      'special-bits',
      'allow-other',
      'shared',
      'no-shared',
      'gc',
      'listen',
    ],
  },
  {
    why: 'what is written into the settings of a peer',
    options: [
      'reserve',
      'weight',
      'capacity',
      'tag',
      'user',
      'password-file',
      'token-file',
      'ca',
      'federate',
      'members',
      'kubo',
      'gateway',
      'path',
      'url',
      'layout',
    ],
  },
  { why: 'answers, and no runs', options: ['help', 'version'] },
];

/** `home` has a variable, too, which is read where the home is looked for (`surroundings.ts`). */
const NEVER: ReadonlySet<OptionName> = new Set(['home', ...WITHOUT_VARIABLE.flatMap(({ options }) => options)]);

/** They write down what they are told: only what every command takes, and how long they wait, is no part of that. */
const WRITES_SETTINGS = /^(?:config|peers (?:add|set))(?: |$)/;

export function variableOf(option: OptionName): string | undefined {
  return NEVER.has(option) ? undefined : `SHARDCTL_${option.toUpperCase().replaceAll('-', '_')}`;
}

/** @param typed options of the command line, of which no variable is looked at @throws ShardctlError `USAGE` naming a variable */
export function fromVariables(command: CommandSpec, typed: ReadonlySet<OptionName>, variables: Variables): FromVariable[] {
  const options = WRITES_SETTINGS.test(command.words) ? command.options.filter((name) => name === 'lock-wait') : command.options;
  return [...options, ...COMMON].flatMap((name): FromVariable[] => {
    const variable = typed.has(name) ? undefined : variableOf(name);
    const value = variable === undefined ? undefined : variables(variable);
    if (variable === undefined || value === undefined) return [];
    const { value: takes, isRepeatable } = OPTIONS[name] as OptionSpec;
    // No pattern, path or URL that anybody has holds a line end; every other separator may be a part of one.
    if (isRepeatable !== undefined) return value.split('\n').flatMap((one) => (one === '' ? [] : [{ name, value: one, variable }]));
    if (takes !== undefined) return [{ name, value, variable }];
    return isOn(variable, value, command) ? [{ name, value: undefined, variable }] : [];
  });
}

/** The environment without what options are in it, for a run that is told by another one which of them hold. */
export function withoutOptions(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = new Set((Object.keys(OPTIONS) as OptionName[]).map(variableOf));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !names.has(name)));
}

function isOn(variable: string, value: string, command: CommandSpec): boolean {
  if (value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  throw new ShardctlError('USAGE', `${variable} "${value}" is neither 1 or true, nor 0 or false`, {
    hint: `it stands in the environment for a switch; see \`shardctl ${command.words} --help\``,
  });
}

/**
 * Set for an update that a watch starts. Its options were found good when the watch began: a directory that has gone since is trouble of the
 * machine, which keeps no mirror from its updates, and no mistake in a command line.
 */
export const STARTED_BY_WATCH = 'SHARDCTL_STARTED_BY_WATCH';

/** A mistake in an option is told with the name of the variable that says it: whoever has typed no option would look for it in vain. */
export function namingVariables(error: unknown, from: readonly FromVariable[]): unknown {
  if (!(error instanceof ShardctlError) || error.code !== 'USAGE') return error;
  const named = ({ name, variable }: FromVariable, text: string) => text.replaceAll(new RegExp(`--${name}(?![\\w-])`, 'g'), variable);
  const message = from.reduce((text, one) => named(one, text), error.message);
  if (message === error.message) return error;
  return new ShardctlError('USAGE', message, { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) });
}
