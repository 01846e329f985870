/** Which settings a home notes on its peers, and what `recover` makes of them, which anybody who shares a peer may have written. */
import { shellWord } from '../../core/display.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import { type Config, DEFAULT_CONFIG } from '../../home/config.ts';
import type { NotedRepository } from '../../home/note.ts';
import type { NotedSettings } from '../../home/note-text.ts';
import { allocatorsAmong, peersNamed } from '../../storing/allocate/allocators.ts';
import type { Demand } from '../../storing/demand.ts';
import type { CommandSpec } from '../command-line/command-spec.ts';
import { homeValue, OWN_SETTING_NAMES, ownValue, type SettingName, withHomeValue } from '../command-line/settings-table.ts';

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

/** The peers as a note's rules are read here. */
export interface PeersHere {
  /** By the names under which they are set up now. */
  readonly peers: ReadonlyMap<string, unknown>;
  /** Names by which the note does not mean the peers that have them here. */
  readonly misnamed: readonly string[];
}

/** The settings with what may be taken over, and what that is, as text. */
export function withNoted(
  config: Config,
  noted: NotedSettings,
  here: PeersHere,
  command: CommandSpec,
): { readonly config: Config; readonly taken: string[] } {
  const taken: string[] = [];
  let so = config;
  for (const name of TAKEN) {
    const value = noted[name];
    if (value === undefined || !canBe(name, value, command)) continue;
    if (name === 'allocate-by' && rulesIn(value, here, command) === undefined) continue;
    so = withHomeValue(so, name, value, command);
    taken.push(`${name} ${value}`);
  }
  return { config: so, taken };
}

/** A value that no setting may have is passed over: it is somebody else's mistake, of another version, or an option in disguise. */
function canBe(name: SettingName, value: string, command: CommandSpec): boolean {
  try {
    withHomeValue(DEFAULT_CONFIG, name, value, command);
    return true;
  } catch {
    return false;
  }
}

/** What a home noted of a repository is believed as far as it decides where shards go; for fewer replicas than there are see `maintain/recover`. */
export function demandIn({ replication, allocateBy }: Partial<NotedRepository>, here: PeersHere, command: CommandSpec): Partial<Demand> {
  const rules = allocateBy && rulesIn(allocateBy.join(), here, command);
  return { ...(replication === undefined ? {} : { replication }), ...(rules === undefined ? {} : { allocateBy: rules }) };
}

/**
 * The rules of `allocate-by` as every run reads them; undefined when there are no such rules, when one lets no peer have shards, because
 * its peer is lost or has another name now: each update would end there; and when one names a peer that it does not mean: shards would go
 * to the wrong disk.
 */
function rulesIn(text: string, { peers, misnamed }: PeersHere, command: CommandSpec): readonly string[] | undefined {
  try {
    const { allocateBy } = withHomeValue(DEFAULT_CONFIG, 'allocate-by', text, command);
    allocatorsAmong(peers, allocateBy);
    const isWrong = allocateBy.flatMap(peersNamed).some((name) => peers.has(name) && misnamed.includes(name));
    return isWrong ? undefined : allocateBy;
  } catch {
    return undefined;
  }
}

/** Replicas and allocators that its note asked for and a recovered repository has again. */
export function takenOf(record: RepositoryRecord, noted: NotedRepository): string[] {
  return (['replication', 'allocate-by'] as const).flatMap((name) => {
    const value = ownValue(noted, name);
    return value === undefined || value !== ownValue(record, name) ? [] : [`${name} ${value}`];
  });
}

/** Commands that say again what a home noted of itself and is not taken over. @param taken as `withNoted` gives it */
export function commandsFor(noted: NotedSettings, taken: readonly string[], command: CommandSpec): string[] {
  const hasRules = taken.some((said) => said.startsWith('allocate-by '));
  return commandsSaying(hasRules ? SHOWN : ['allocate-by', ...SHOWN], noted, command);
}

/** As `commandsFor`, of a recovered repository: with the replicas and the rules that it noted where it has others now. */
export function commandsForOwn(record: RepositoryRecord, { settings = {}, ...noted }: NotedRepository, command: CommandSpec): string[] {
  const others = (['replication', 'allocate-by'] as const).flatMap((name) => {
    const value = ownValue(noted, name);
    return value === undefined || value === ownValue(record, name) ? [] : [[name, value] as const];
  });
  const own = [...others.map(([name]) => name), ...SHOWN].filter((name) => OWN_SETTING_NAMES.includes(name));
  return commandsSaying(own, { ...settings, ...Object.fromEntries(others) }, command).map(
    (said) => `${said} --repository ${shellWord(record.name)}`,
  );
}

function commandsSaying(names: readonly SettingName[], noted: NotedSettings, command: CommandSpec): string[] {
  return names.flatMap((name) => {
    const value = noted[name];
    return value === undefined || !canBe(name, value, command) ? [] : [`shardctl config ${name} ${shellWord(value)}`];
  });
}
