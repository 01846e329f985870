/** `shardctl config`: what the home decides where nothing else is said, and what each repository asks for itself. */
import { existsSync } from 'node:fs';
import { EXIT } from '../../core/errors.ts';
import { leastReplicas, type Replication, type RepositoryRecord } from '../../core/model.ts';
import { type Config, DEFAULT_CONFIG } from '../../home/config.ts';
import { restoreConfig, saveConfig } from '../../home/config-file.ts';
import { requireHome } from '../../home/home.ts';
import type { Peer } from '../../peer/peer.ts';
import { checkPeersNamed } from '../../storing/allocate/allocators.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { repositoryNamed } from '../command-line/repositories-named.ts';
import {
  homeValue,
  OWN_SETTING_NAMES,
  ownValue,
  SETTING_NAMES,
  type SettingName,
  withHomeValue,
  withOwnValue,
} from '../command-line/settings-table.ts';
import { answer, type Result } from '../results/results.ts';
import { table } from '../results/table.ts';
import { setHomeOpen } from '../session/privacy.ts';
import { alone, planning, type Session, sharing, writing } from '../session/session.ts';

type Setting = Extract<Result, { type: 'setting' }>;

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
  // A mistake in the value is found before the lock is taken.
  withHomeValue(DEFAULT_CONFIG, key, text, args.command);
  const set = ({ config, index, peers }: Session) => setIn(context, { config, index, peers }, { key, text, repository });
  if (repository === undefined) return await writing(context, set);
  return await sharing(context, async (session) => {
    repositoryNamed(session.index.repositories(), repository);
    return await session.withRepository(repository, () => set(session));
  });
}

interface Change {
  readonly key: SettingName;
  /** Undefined to unset it. */
  readonly text: string | undefined;
  /** Undefined for the home. */
  readonly repository: string | undefined;
}

/** Must be called with the home locked, or with the repository. */
async function setIn(context: Context, { config, index, peers }: Session, { key, text, repository }: Change): Promise<number> {
  const { args, home } = context;
  const own = repository === undefined ? undefined : repositoryNamed(index.repositories(), repository);
  const nextConfig = own === undefined ? withHomeValue(config, key, text, args.command) : config;
  const nextOwn = own === undefined ? undefined : withOwnValue(own, key, text, args.command);
  const [before, now] = [asked(config, own), asked(nextConfig, nextOwn)];
  if (key === 'allocate-by' && text !== undefined) checkPeersNamed(peers, now.allocateBy);
  if (key === 'shared') setHomeOpen(context, nextConfig.shared === true);
  if (nextOwn === undefined) saveConfig(home, nextConfig);
  else await index.saveRepository(nextOwn);
  const texts = { from: shownValue(config, own, key), to: shownValue(nextConfig, nextOwn, key) };
  tell(context, { key, of: repository ?? 'the home', ...texts, before, now, peers });
  return EXIT.done;
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

async function show(context: Context, key: SettingName | undefined, repository: string | undefined): Promise<number> {
  return await planning(context, async ({ config, index }) => {
    const all = index?.repositories() ?? [];
    const meant = repository === undefined ? all : [repositoryNamed(all, repository)];
    const keys = key === undefined ? SETTING_NAMES : [key];
    const home = repository === undefined ? keys.map((it) => homeSetting(config, it)) : [];
    const own = meant.flatMap((record) => keys.filter((it) => OWN_SETTING_NAMES.includes(it)).map((it) => ownSetting(config, record, it)));
    const settings = [...home, ...own];
    answer(context, settings, () => {
      const rows = settings.map(({ repository: of, key: setting, value, from }) => [of ?? '(home)', setting, value, from]);
      return table([['REPOSITORY', 'SETTING', 'VALUE', 'FROM'], ...rows], 'llll', context.output.columns);
    });
    return EXIT.done;
  });
}

function homeSetting(config: Config, key: SettingName): Setting {
  const value = homeValue(config, key);
  return { type: 'setting', repository: null, key, value, from: value === homeValue(DEFAULT_CONFIG, key) ? 'default' : 'home' };
}

function ownSetting(config: Config, record: RepositoryRecord, key: SettingName): Setting {
  const own = ownValue(record, key);
  return {
    ...homeSetting(config, key),
    repository: record.name,
    ...(own === undefined ? {} : { value: own, from: 'repository' as const }),
  };
}

function keyOf({ args }: Context, name: string, repository: string | undefined): SettingName {
  const names = repository === undefined ? SETTING_NAMES : OWN_SETTING_NAMES;
  const key = names.find((it) => it === name);
  if (key !== undefined) return key;
  const of = repository === undefined ? 'a home' : 'a repository';
  throw usage(`"${name}" is no setting of ${of}: there is ${names.join(', ')}`, args.command);
}

function shownValue(config: Config, own: RepositoryRecord | undefined, key: SettingName): string {
  return (own === undefined ? undefined : ownValue(own, key)) ?? homeValue(config, key);
}

/** How shards of the repository, or of those that ask for nothing themselves, are placed. */
function asked(config: Config, own: RepositoryRecord | undefined): Pick<Config, 'replication' | 'allocateBy'> {
  const { replication = config.replication, allocateBy = config.allocateBy } = own ?? {};
  return { replication, allocateBy };
}

interface Told {
  readonly key: SettingName;
  readonly of: string;
  readonly from: string;
  readonly to: string;
  readonly before: Pick<Config, 'replication' | 'allocateBy'>;
  readonly now: Pick<Config, 'replication' | 'allocateBy'>;
  readonly peers: ReadonlyMap<string, Peer>;
}

function tell({ quiet, json, output }: Context, { key, of, from, to, before, now, peers }: Told): void {
  if (quiet || json) return;
  output.line(`${key} of ${of}: ${from} → ${to}`);
  const least = (replication: Replication) => leastReplicas(replication, peers);
  if (least(now.replication) > least(before.replication))
    output.line('shards that are stored already get the replicas that they lack from `shardctl repair`');
  if (least(now.replication) < least(before.replication))
    output.line(
      'shards that are stored already keep their replicas until `shardctl rebalance` or `shardctl prune`; new shards get fewer, and a peer may be drained or taken out while that many are left',
    );
  if (before.allocateBy.join() !== now.allocateBy.join()) output.line('shards that are stored already are moved by `shardctl rebalance`');
}
