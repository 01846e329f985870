/** What the home and its repositories have of each setting, and where it comes from. */
import type { RepositoryRecord } from '../../core/model.ts';
import { type Config, DEFAULT_CONFIG } from '../../home/config.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { nearest } from '../command-line/nearest.ts';
import { repositoryNamed } from '../command-line/repositories-named.ts';
import { homeValue, OWN_SETTING_NAMES, ownValue, SETTING_NAMES, type SettingName } from '../command-line/settings-table.ts';
import type { Result } from '../results/results.ts';
import { planning } from '../session/session.ts';

type Setting = Extract<Result, { type: 'setting' }>;

/** @param key undefined for all @param repository undefined for the home and all repositories */
export async function settingsShown(
  context: Context,
  key: SettingName | undefined,
  repository: string | undefined,
): Promise<readonly Setting[]> {
  return await planning(context, async ({ config, index }) => {
    const all = index?.repositories() ?? [];
    const meant = repository === undefined ? all : [repositoryNamed(all, repository)];
    const keys = key === undefined ? SETTING_NAMES : [key];
    const home = repository === undefined ? keys.map((it) => homeSetting(config, it)) : [];
    const own = meant.flatMap((record) => keys.filter((it) => OWN_SETTING_NAMES.includes(it)).map((it) => ownSetting(config, record, it)));
    return [...home, ...own];
  });
}

/** @throws ShardctlError `USAGE` when a home, or the repository, has no such setting */
export function keyOf({ args }: Context, name: string, repository: string | undefined): SettingName {
  const names = repository === undefined ? SETTING_NAMES : OWN_SETTING_NAMES;
  const key = names.find((it) => it === name);
  if (key !== undefined) return key;
  const of = repository === undefined ? 'a home' : 'a repository';
  throw usage(`"${name}" is no setting of ${of}: there is ${names.join(', ')}`, args.command, nearest(name, names));
}

/** A setting of the home, as it is shown. */
export function homeSetting(config: Config, key: SettingName): Setting {
  const value = homeValue(config, key);
  return { type: 'setting', repository: null, key, value, from: value === homeValue(DEFAULT_CONFIG, key) ? 'default' : 'home' };
}

/** The same of a repository. */
export function ownSetting(config: Config, record: RepositoryRecord, key: SettingName): Setting {
  const own = ownValue(record, key);
  return {
    ...homeSetting(config, key),
    repository: record.name,
    ...(own === undefined ? {} : { value: own, from: 'repository' as const }),
  };
}
