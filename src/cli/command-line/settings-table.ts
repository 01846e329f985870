/** The settings that `shardctl config` knows: how each is written on the command line, and whether a repository may have its own. */
import type { Replication, RepositoryRecord } from '../../core/model.ts';
import { DEFAULT_GATE } from '../../core/verdict.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { type Config, DEFAULT_CONFIG } from '../../home/config.ts';
import { parseTime, parseTimeout } from '../../home/times.ts';
import { usage } from './args.ts';
import type { CommandSpec } from './command-spec.ts';
import { parseGate, parseGateAction, parseKeyrings } from './gate-options.ts';
import { parseReplication, parseSizeOf } from './quantities.ts';
import { checkKeep } from './retention-options.ts';
import { parseAllocateBy } from './storage-options.ts';

/** A setting as text is what the option of its name takes. */
interface SettingKind<Field extends keyof Config> {
  readonly field: Field;
  /** A repository may ask for something else than the home. */
  readonly isOwn?: true;
  /** @throws ShardctlError `USAGE` */
  readonly parse: (text: string, command: CommandSpec) => Config[Field];
  readonly written: (value: Config[Field]) => string;
}

const kind = <Field extends keyof Config>(it: SettingKind<Field>) => it;

/** A command line for the shell; `none` switches off, for one repository, what the home has. */
const hook = (field: 'onCommit' | 'onProblem') => kind({ field, isOwn: true, parse: (text) => text, written: (value) => value ?? 'none' });

const time = (field: 'grace' | 'hookTimeout', name: string, otherwise: string, parsed: (text: string) => number | undefined) =>
  kind({
    field,
    parse: (text, command) => {
      if (parsed(text) === undefined) throw usage(`${name} "${text}" is not a time such as 90s, 30m or 6h`, command);
      return text;
    },
    written: (value) => value ?? otherwise,
  });

const SETTINGS = {
  replication: kind({
    field: 'replication',
    isOwn: true,
    parse: (text, command) => parseReplication(text, 'replication', command),
    written: writtenReplication,
  }),
  'allocate-by': kind({
    field: 'allocateBy',
    isOwn: true,
    parse: (text, command) => parseAllocateBy(text, 'allocate-by', command),
    written: (names) => names.join(','),
  }),
  'shard-size': kind({ field: 'shardSize', parse: (text, command) => parseSizeOf(text, 'shard-size', command), written: String }),
  'cid-profile': kind({ field: 'profile', parse: (text) => profileOf(text, undefined).name, written: (name) => name }),
  shared: kind({
    field: 'shared',
    parse: (text, command) => {
      if (text === 'yes') return true;
      if (text === 'no') return undefined;
      throw usage(`shared "${text}" is neither yes nor no`, command);
    },
    written: (value) => (value === true ? 'yes' : 'no'),
  }),
  gate: kind({
    field: 'gate',
    isOwn: true,
    parse: (text, command) => parseGate(text, 'gate', command),
    written: (gate = DEFAULT_GATE.gate) => (typeof gate === 'string' ? gate : gate.join(',')),
  }),
  'gate-action': kind({
    field: 'gateAction',
    isOwn: true,
    parse: (text, command) => parseGateAction(text, 'gate-action', command),
    written: (action) => action ?? DEFAULT_GATE.gateAction,
  }),
  'gate-keyring': kind({
    field: 'gateKeyrings',
    isOwn: true,
    parse: (text, command) => parseKeyrings(text, command),
    written: (paths = []) => (paths.length === 0 ? 'none' : paths.join(',')),
  }),
  keep: kind({
    field: 'keep',
    isOwn: true,
    parse: (text) => {
      checkKeep(text);
      return text;
    },
    written: (value) => value ?? 'all',
  }),
  grace: time('grace', 'grace', '0', parseTime),
  'on-commit': hook('onCommit'),
  'on-problem': hook('onProblem'),
  'hook-timeout': time('hookTimeout', 'hook-timeout', '60s', parseTimeout),
};

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];
/** Those that a repository may ask for itself. */
export const OWN_SETTING_NAMES = SETTING_NAMES.filter((name) => settingOf(name).isOwn === true);

/** The kinds differ in the type of their values, which nobody needs who goes by names. */
function settingOf(name: SettingName): SettingKind<keyof Config> {
  return SETTINGS[name] as unknown as SettingKind<keyof Config>;
}

function writtenReplication({ min, max }: Replication): string {
  return min === max ? String(min) : `${min}:${max}`;
}

/** What the home has of it, as text. */
export function homeValue(config: Config, name: SettingName): string {
  const { field, written } = settingOf(name);
  return written(config[field]);
}

/** What a repository asks for itself, as text; undefined where it asks for nothing. */
export function ownValue(
  { replication, allocateBy, upkeep, gate }: Pick<RepositoryRecord, 'replication' | 'allocateBy' | 'upkeep' | 'gate'>,
  name: SettingName,
): string | undefined {
  const { field, written } = settingOf(name);
  const value: Config[keyof Config] = { ...upkeep, ...gate, replication, allocateBy }[field as 'keep'];
  return value === undefined ? undefined : written(value);
}

/** The settings with this one changed. @param text undefined: back to the default @throws ShardctlError `USAGE` */
export function withHomeValue(config: Config, name: SettingName, text: string | undefined, command: CommandSpec): Config {
  const { field, parse } = settingOf(name);
  return { ...config, [field]: text === undefined ? DEFAULT_CONFIG[field] : parse(text, command) };
}

/** The record with this one changed. @param text undefined: as the home decides @throws ShardctlError `USAGE` */
export function withOwnValue(
  record: RepositoryRecord,
  name: SettingName,
  text: string | undefined,
  command: CommandSpec,
): RepositoryRecord {
  const { field, parse } = settingOf(name);
  const value = text === undefined ? undefined : parse(text, command);
  const { replication, allocateBy, upkeep, gate, ...rest } = record;
  const own = { ...upkeep, ...gate, replication, allocateBy, [field]: value };
  const kept = without({ keep: own.keep, onCommit: own.onCommit, onProblem: own.onProblem });
  const gated = without({ gate: own.gate, gateAction: own.gateAction, gateKeyrings: own.gateKeyrings });
  return {
    ...rest,
    ...without({ replication: own.replication, allocateBy: own.allocateBy }),
    ...(Object.keys(kept).length === 0 ? {} : { upkeep: kept }),
    ...(Object.keys(gated).length === 0 ? {} : { gate: gated }),
  };
}

/** Without the fields that are undefined: a record says that something is not asked for by not having it. */
function without<T extends object>(fields: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
