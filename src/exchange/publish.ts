/**
 * `publish`: points a repository's IPNS name at the tree of a snapshot, mostly of its head. The name is a key of one of the Kubo daemons.
 * A second name, which is made when it is asked for, leads to the snapshot itself: a tree does not say in which shards it is.
 */
import { shellWord } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import type { SnapshotRecord } from '../core/model.ts';

/** What publishing asks of a Kubo daemon. */
export interface Names {
  /** Names of its keys. */
  keys(): Promise<readonly string[]>;
  make(key: string): Promise<void>;
  rename(key: string, to: string): Promise<void>;
  publish(key: string, path: string, lifetime: string | undefined): Promise<{ readonly name: string; readonly value: string }>;
}

export interface Published {
  readonly repository: string;
  /** Number of the snapshot. */
  readonly snapshot: number;
  /** The peer whose daemon has the key, and publishes the record again before it expires. */
  readonly peer: string;
  /** The IPNS name, without `/ipns/`. */
  readonly name: string;
  /** `/ipfs/` and the root of the tree. */
  readonly value: string;
  /** The same of the snapshot; undefined as long as nobody has asked for that name. */
  readonly snapshotName?: string;
  readonly snapshotValue?: string;
  /** The TXT record of `_dnslink.<domain>`. */
  readonly dnslink: string;
}

export interface PublishOptions {
  readonly snapshot: SnapshotRecord;
  /** Daemons that may have the key, by the name of their peer; the first makes the key if none has it. */
  readonly names: ReadonlyMap<string, Names>;
  readonly lifetime: string | undefined;
  /** ID of this home. It is part of the key's name, because homes that share a daemon may have repositories of one name. */
  readonly home: string;
  /** The home is from a version that named keys after the repository alone: a key with such a name is this home's. */
  readonly isFormer: boolean;
  /** Former names of the repository that no other repository has now: a key may still have one of them. */
  readonly formerNames: readonly string[];
  /** Name of another home's key that this home takes over, and with it the IPNS name. */
  readonly takeKey: string | undefined;
  /** Makes the name of the snapshot when there is none. */
  readonly withSnapshot: boolean;
}

/**
 * Runs after the commit, when the blocks that the snapshot names are confirmed on its peers. The daemon that has the key publishes;
 * another daemon's key would give another IPNS name.
 * @throws ShardctlError `TOO_FEW_PEERS` when a daemon does not answer, because it may have the key; `USAGE` when only another home has one
 */
export async function publish(options: PublishOptions): Promise<Published> {
  const { snapshot, names, lifetime, home } = options;
  const [first] = names;
  if (first === undefined) {
    throw new ShardctlError('TOO_FEW_PEERS', 'no Kubo daemon is set up that could publish a name', {
      hint: 'add one with `shardctl peers add kubo URL`',
    });
  }
  const own = keyOf(home, snapshot.repository);
  const [peer, daemon] = await withKey(options, own, first);
  const { name, value } = await daemon.publish(own, `/ipfs/${snapshot.tree}`, lifetime);
  const published = { repository: snapshot.repository, snapshot: snapshot.number, peer, name, value, dnslink: `dnslink=/ipns/${name}` };
  const second = snapshotKeyOf(own);
  if (!(await daemon.keys()).includes(second)) {
    if (!options.withSnapshot) return published;
    await daemon.make(second);
  }
  const { name: snapshotName, value: snapshotValue } = await daemon.publish(second, `/ipfs/${snapshot.cid}`, lifetime);
  return { ...published, snapshotName, snapshotValue };
}

/**
 * Renames a repository's key on whatever daemon has it, after the repository was renamed. The IPNS name stays the same.
 * @returns why a daemon could not be asked, by the name of its peer
 */
export async function renameKey(
  names: ReadonlyMap<string, Names>,
  home: string,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<Map<string, ShardctlError>> {
  const silent = new Map<string, ShardctlError>();
  for (const [peer, daemon] of names) {
    try {
      await renameKeys(daemon, await daemon.keys(), keyOf(home, from), keyOf(home, to));
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      silent.set(peer, error);
    }
  }
  return silent;
}

/** The name of a repository's key. */
export function keyOf(home: string, repository: string): string {
  return `shardctl-${home}-${encodeURIComponent(repository)}`;
}

/** The key of the name that leads to the snapshot. Names of repositories are encoded, and have no `+`. */
function snapshotKeyOf(key: string): string {
  return `${key}+snapshot`;
}

/** A key that is renamed stays the same key, and keeps the IPNS name that people know. */
async function renameKeys(daemon: Names, keys: readonly string[], from: string, to: string): Promise<void> {
  const second = [snapshotKeyOf(from), snapshotKeyOf(to)] as const;
  // The second one first: when a run dies in between, the first is found under its old name, and both are renamed again.
  for (const [one, other] of [second, [from, to] as const]) if (keys.includes(one)) await daemon.rename(one, other);
}

/**
 * The daemon that has this home's key for the repository, once the key has the name `own`.
 * @param first the daemon that makes the key if there is none
 */
async function withKey(options: PublishOptions, own: string, first: [string, Names]): Promise<[string, Names]> {
  const { snapshot, names, home, isFormer, formerNames, takeKey } = options;
  const former = `shardctl-${encodeURIComponent(snapshot.repository)}`;
  const found: { readonly peer: string; readonly daemon: Names; readonly key: string }[] = [];
  for (const [peer, daemon] of names) for (const key of await daemon.keys()) found.push({ peer, daemon, key });
  const having = (key: string) => found.find((it) => it.key === key);
  const mine = having(own);
  if (mine !== undefined && takeKey === undefined) return [mine.peer, mine.daemon];
  const formerKeys = [...formerNames.map((name) => keyOf(home, name)), ...(isFormer ? [former] : [])];
  const taken = (takeKey === undefined ? formerKeys : [takeKey]).map(having).find((it) => it !== undefined);
  if (taken !== undefined) {
    if (taken.key !== own) await renameKeys(taken.daemon, await taken.daemon.keys(), taken.key, own);
    return [taken.peer, taken.daemon];
  }
  if (takeKey !== undefined) throw new ShardctlError('NOT_FOUND', `no daemon has a key "${takeKey}"`);
  const others = found.filter(({ key }) => key === former || OTHERS.exec(key)?.[1] === encodeURIComponent(snapshot.repository));
  if (others[0] !== undefined) {
    throw new ShardctlError('USAGE', `another home publishes a ${snapshot.repository} through peer "${others[0].peer}" already`, {
      hint: `if that home is gone, or was this one, take its name over: \`shardctl publish ${shellWord(snapshot.repository)} --take-key ${shellWord(others[0].key)}\`; else publish under another repository's name, or through another daemon with --peer`,
    });
  }
  const [peer, daemon] = first;
  await daemon.make(own);
  return [peer, daemon];
}

/** A key of any home; it captures the repository's name, encoded because Kubo keeps keys in files of their names. */
const OTHERS = /^shardctl-[0-9a-f]{12}-(.*)$/;
