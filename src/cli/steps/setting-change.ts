/** Changes a setting of the home or of a repository, and says what that means for what is stored. */
import { EXIT } from '../../core/errors.ts';
import { leastReplicas, type Replication, type RepositoryRecord } from '../../core/model.ts';
import { type Config, DEFAULT_CONFIG } from '../../home/config.ts';
import { saveConfig } from '../../home/config-file.ts';
import type { Peer } from '../../peer/peer.ts';
import { checkPeersNamed } from '../../storing/allocate/allocators.ts';
import type { Context } from '../command-line/context.ts';
import { repositoryNamed } from '../command-line/repositories-named.ts';
import { homeValue, ownValue, type SettingName, withHomeValue, withOwnValue } from '../command-line/settings-table.ts';
import { setHomeOpen } from '../session/privacy.ts';
import { type Session, sharing, writing } from '../session/session.ts';
import { homeSetting, ownSetting } from './settings-shown.ts';

export interface Change {
  readonly key: SettingName;
  /** Undefined to unset it. */
  readonly text: string | undefined;
  /** Undefined for the home. */
  readonly repository: string | undefined;
}

/** @throws ShardctlError `USAGE` for a value that the setting cannot have */
export async function changeSetting(context: Context, change: Change): Promise<number> {
  const { key, text, repository } = change;
  // A mistake in the value is found before the lock is taken.
  withHomeValue(DEFAULT_CONFIG, key, text, context.args.command);
  const set = ({ config, index, peers }: Session) => setIn(context, { config, index, peers }, change);
  if (repository === undefined) return await writing(context, set);
  return await sharing(context, async (session) => {
    repositoryNamed(session.index.repositories(), repository);
    return await session.withRepository(repository, () => set(session));
  });
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
  // Scripts are told what it is now, as `config get` tells it.
  if (context.json) context.output.json(nextOwn === undefined ? homeSetting(nextConfig, key) : ownSetting(config, nextOwn, key));
  const texts = { from: shownValue(config, own, key), to: shownValue(nextConfig, nextOwn, key) };
  tell(context, { key, of: repository ?? 'the home', ...texts, before, now, peers });
  return EXIT.done;
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
