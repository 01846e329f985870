/** Which settings a home notes on its peers, and what `recover` makes of them, which anybody who shares a peer may have written. */
import { shellWord } from '../../core/display.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import { type Config, DEFAULT_CONFIG } from '../../home/config.ts';
import type { NotedSettings } from '../../home/note-text.ts';
import type { CommandSpec } from '../command-line/command-spec.ts';
import { homeValue, ownValue, type SettingName, withHomeValue } from '../command-line/settings-table.ts';

/** Where shards go, and how: `recover` takes it over. The worst that a planted note does is to have more stored, or stored elsewhere. */
const TAKEN: readonly SettingName[] = ['replication', 'allocate-by', 'shard-size', 'cid-profile', 'grace'];
/**
 * What the gate lets pass, whose signatures are believed, and which snapshots `check` forgets: `recover` shows the command that says it again.
 * The defaults, which hold until then, are the careful ones. Hooks are not noted at all: a peer must never say what this machine
 * runs, and their commands may hold passwords, which other homes could read.
 */
const SHOWN: readonly SettingName[] = ['gate', 'gate-action', 'gate-keyring', 'keep'];

export function notedOfHome(config: Config): NotedSettings {
  const named = [...TAKEN, ...SHOWN].map((name) => [name, homeValue(config, name)] as const);
  return Object.fromEntries(named.filter(([name, value]) => value !== homeValue(DEFAULT_CONFIG, name)));
}

/** Its replicas and allocators are fields of their own in a note. */
export function notedOf(repository: RepositoryRecord): NotedSettings {
  return Object.fromEntries(
    SHOWN.flatMap((name) => {
      const value = ownValue(repository, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The settings with what may be taken over; a value that no setting may have is passed over. */
export function withNoted(config: Config, noted: NotedSettings, command: CommandSpec): Config {
  return TAKEN.reduce((so, name) => {
    const value = noted[name];
    try {
      return value === undefined ? so : withHomeValue(so, name, value, command);
    } catch {
      return so;
    }
  }, config);
}

/** Commands that say again what is not taken over. @param repository whose settings they are; without it, the home's */
export function commandsFor(noted: NotedSettings, repository?: string): string[] {
  const of = repository === undefined ? '' : ` --repository ${shellWord(repository)}`;
  return SHOWN.flatMap((name) => (noted[name] === undefined ? [] : [`shardctl config ${name} ${shellWord(noted[name])}${of}`]));
}
