/** Which settings a home notes on its peers, and what `recover` makes of them, which anybody who shares a peer may have written. */
import { shellWord } from '../../core/display.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import { type Config, DEFAULT_CONFIG } from '../../home/config.ts';
import type { NotedRepository } from '../../home/note.ts';
import type { NotedSettings } from '../../home/note-text.ts';
import type { CommandSpec } from '../command-line/command-spec.ts';
import { homeValue, ownValue, type SettingName, withHomeValue } from '../command-line/settings-table.ts';

/**
 * Where shards go, and how: `recover` takes it over, and says so. The worst that a planted note does is to have more stored, or stored
 * elsewhere: of replicas the default is one, so a note can only ask for more.
 */
const TAKEN: readonly SettingName[] = ['replication', 'allocate-by', 'shard-size', 'cid-profile'];
/**
 * What the gate lets pass, whose signatures are believed, which snapshots `check` forgets, and how long it waits for a peer before it makes
 * what that one held anew: `recover` shows the command that says it again. The defaults, which hold until then, are the careful ones.
 * Hooks are not noted at all: a peer must never say what this machine runs, and their commands may hold passwords, which other homes
 * could read.
 */
const SHOWN: readonly SettingName[] = ['gate', 'gate-action', 'gate-keyring', 'keep', 'grace'];

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

/** The settings with what may be taken over, and what that is, as text; a value that no setting may have is passed over. */
export function withNoted(
  config: Config,
  noted: NotedSettings,
  command: CommandSpec,
): { readonly config: Config; readonly taken: string[] } {
  const taken: string[] = [];
  let so = config;
  for (const name of TAKEN) {
    const value = noted[name];
    if (value === undefined) continue;
    try {
      so = withHomeValue(so, name, value, command);
      taken.push(`${name} ${value}`);
    } catch {
      // Somebody else's mistake, or a setting of another version.
    }
  }
  return { config: so, taken };
}

/** Replicas and allocators that its note asked for and a recovered repository has again. */
export function takenOf(record: RepositoryRecord, noted: NotedRepository): string[] {
  return (['replication', 'allocate-by'] as const).flatMap((name) => {
    const value = ownValue(noted, name);
    return value === undefined || value !== ownValue(record, name) ? [] : [`${name} ${value}`];
  });
}

/** Commands that say again what is not taken over. @param repository whose settings they are; without it, the home's */
export function commandsFor(noted: NotedSettings, repository?: string): string[] {
  const of = repository === undefined ? '' : ` --repository ${shellWord(repository)}`;
  const names: readonly SettingName[] = repository === undefined ? SHOWN : ['replication', ...SHOWN];
  return names.flatMap((name) => (noted[name] === undefined ? [] : [`shardctl config ${name} ${shellWord(noted[name])}${of}`]));
}

/** As `commandsFor`, of a recovered repository: with the replicas that it noted where it has others now. */
export function commandsForOwn(record: RepositoryRecord, { settings = {}, ...noted }: NotedRepository): string[] {
  const replication = ownValue(noted, 'replication');
  const isTaken = replication === undefined || replication === ownValue(record, 'replication');
  return commandsFor(isTaken ? settings : { ...settings, replication }, record.name);
}
