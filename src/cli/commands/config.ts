/** `shardctl config`: what the home decides where nothing else is said, and what each repository asks for itself. */
import { existsSync } from 'node:fs';
import { EXIT } from '../../core/errors.ts';
import { leastReplicas, type Replication, type RepositoryRecord } from '../../core/model.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { type Config, DEFAULT_CONFIG } from '../../home/config.ts';
import { restoreConfig, saveConfig } from '../../home/config-file.ts';
import { requireHome } from '../../home/home.ts';
import type { Peer } from '../../peer/peer.ts';
import { checkPeersNamed } from '../../storing/allocate/allocators.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { parseReplication, parseSizeOf } from '../command-line/quantities.ts';
import { repositoryNamed } from '../command-line/repositories-named.ts';
import { parseAllocateBy } from '../command-line/storage-options.ts';
import { answer, type Result } from '../results/results.ts';
import { table } from '../results/table.ts';
import { setHomeOpen } from '../session/privacy.ts';
import { alone, planning, writing } from '../session/session.ts';

type Setting = Extract<Result, { type: 'setting' }>;

/** By their names on the command line; those of a repository are remembered with it, as `add` does. */
const FIELDS = {
  replication: 'replication',
  'allocate-by': 'allocateBy',
  'shard-size': 'shardSize',
  'cid-profile': 'profile',
  shared: 'shared',
} as const;
type Key = keyof typeof FIELDS;
const KEYS = Object.keys(FIELDS) as Key[];
const OWN: readonly Key[] = ['replication', 'allocate-by'];

type AllValues = Pick<Config, (typeof FIELDS)[Key]>;
type Values = Partial<AllValues>;

export async function run(context: Context): Promise<number> {
  const { args, home } = context;
  const [name, text] = args.positionals;
  const repository = args.text('repository');
  if (args.flag('restore')) {
    if (name !== undefined || repository !== undefined || args.flag('unset')) throw usage('--restore takes no setting', args.command);
    // A home of which the settings are gone has them restored, too.
    if (!existsSync(home.configCache)) requireHome(home);
    return await restore(context);
  }
  const key = name === undefined ? undefined : keyOf(context, name, repository);
  if (args.flag('unset') ? key === undefined || text !== undefined : key === undefined && text !== undefined)
    throw usage('--unset wants the name of one setting', args.command);
  if (key === undefined || (text === undefined && !args.flag('unset'))) return await show(context, key, repository);
  const value = text === undefined ? undefined : parsed(context, key, text);
  return await writing(context, async ({ config, index, peers }) => {
    if (value?.allocateBy !== undefined) checkPeersNamed(peers, value.allocateBy);
    const own = repository === undefined ? undefined : repositoryNamed(index.repositories(), repository);
    const nextConfig = own === undefined ? { ...config, ...(value ?? { [FIELDS[key]]: DEFAULT_CONFIG[FIELDS[key]] }) } : config;
    const nextOwn = own === undefined ? undefined : changed(own, FIELDS[key], value);
    if (key === 'shared') setHomeOpen(context, nextConfig.shared === true);
    if (nextOwn === undefined) saveConfig(home, nextConfig);
    else await index.saveRepository(nextOwn);
    tell(context, { key, of: repository ?? 'the home', before: valuesOf(config, own), now: valuesOf(nextConfig, nextOwn), peers });
    return EXIT.done;
  });
}

/** Needs no settings that can be read. */
async function restore(context: Context): Promise<number> {
  const { home, quiet, json, output } = context;
  const changes = await alone(context, () => restoreConfig(home));
  if (quiet || json) return EXIT.done;
  output.line(changes.length === 0 ? `${home.config} is as it was: nothing to restore` : `${home.config} is written again:`);
  for (const change of changes) output.line(`  ${change}`);
  return EXIT.done;
}

async function show(context: Context, key: Key | undefined, repository: string | undefined): Promise<number> {
  return await planning(context, async ({ config, index }) => {
    const all = index?.repositories() ?? [];
    const meant = repository === undefined ? all : [repositoryNamed(all, repository)];
    const keys = key === undefined ? KEYS : [key];
    const home = repository === undefined ? keys.map((it) => homeSetting(config, it)) : [];
    const own = meant.flatMap((record) => keys.filter((it) => OWN.includes(it)).map((it) => ownSetting(config, record, it)));
    const settings = [...home, ...own];
    answer(context, settings, () => {
      const rows = settings.map(({ repository: of, key: setting, value, from }) => [of ?? '(home)', setting, value, from]);
      return table([['REPOSITORY', 'SETTING', 'VALUE', 'FROM'], ...rows], 'llll');
    });
    return EXIT.done;
  });
}

function homeSetting(config: Config, key: Key): Setting {
  const value = written(config, key);
  return { type: 'setting', repository: null, key, value, from: value === written(DEFAULT_CONFIG, key) ? 'default' : 'home' };
}

function ownSetting(config: Config, record: RepositoryRecord, key: Key): Setting {
  const home = homeSetting(config, key);
  const isOwn = (key === 'replication' ? record.replication : record.allocateBy) !== undefined;
  return {
    ...home,
    repository: record.name,
    value: written(valuesOf(config, record), key),
    ...(isOwn ? { from: 'repository' as const } : {}),
  };
}

function keyOf({ args }: Context, name: string, repository: string | undefined): Key {
  const names = repository === undefined ? KEYS : OWN;
  const key = names.find((it) => it === name);
  if (key !== undefined) return key;
  const of = repository === undefined ? 'a home' : 'a repository';
  throw usage(`"${name}" is no setting of ${of}: there is ${names.join(', ')}`, args.command);
}

/** @throws ShardctlError `USAGE` as the option of that name does */
function parsed({ args }: Context, key: Key, text: string): Values {
  if (key === 'replication') return { replication: parseReplication(text, key, args.command) };
  if (key === 'allocate-by') return { allocateBy: parseAllocateBy(text, key, args.command) };
  if (key === 'shard-size') return { shardSize: parseSizeOf(text, key, args.command) };
  if (key === 'cid-profile') return { profile: profileOf(text, undefined).name };
  if (text === 'yes' || text === 'no') return { shared: text === 'yes' ? true : undefined };
  throw usage(`shared "${text}" is neither yes nor no`, args.command);
}

function valuesOf(config: Config, own: RepositoryRecord | undefined): AllValues {
  const { replication = config.replication, allocateBy = config.allocateBy } = own ?? {};
  return { replication, allocateBy, shardSize: config.shardSize, profile: config.profile, shared: config.shared };
}

function changed(record: RepositoryRecord, field: (typeof FIELDS)[Key], value: Values | undefined): RepositoryRecord {
  const { replication, allocateBy, ...rest } = record;
  const own = { replication, allocateBy, [field]: undefined, ...value };
  return {
    ...rest,
    ...(own.replication === undefined ? {} : { replication: own.replication }),
    ...(own.allocateBy === undefined ? {} : { allocateBy: own.allocateBy }),
  };
}

/** As the option of that name takes it. */
function written(values: AllValues, key: Key): string {
  if (key === 'allocate-by') return values.allocateBy.join(',');
  if (key === 'shard-size') return String(values.shardSize);
  if (key === 'cid-profile') return values.profile;
  if (key === 'shared') return values.shared === true ? 'yes' : 'no';
  const { min, max } = values.replication;
  return min === max ? String(min) : `${min}:${max}`;
}

interface Told {
  readonly key: Key;
  readonly of: string;
  readonly before: AllValues;
  readonly now: AllValues;
  readonly peers: ReadonlyMap<string, Peer>;
}

function tell({ quiet, json, output }: Context, { key, of, before, now, peers }: Told): void {
  if (quiet || json) return;
  output.line(`${key} of ${of}: ${written(before, key)} → ${written(now, key)}`);
  const least = (replication: Replication) => leastReplicas(replication, peers);
  if (least(now.replication) > least(before.replication))
    output.line('shards that are stored already get the replicas that they lack from `shardctl repair`');
  if (least(now.replication) < least(before.replication))
    output.line(
      'shards that are stored already keep their replicas until `shardctl rebalance` or `shardctl prune`; new shards get fewer, and a peer may be drained or taken out while that many are left',
    );
  if (written(before, 'allocate-by') !== written(now, 'allocate-by'))
    output.line('shards that are stored already are moved by `shardctl rebalance`');
}
