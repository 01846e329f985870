/** `publish`: an IPNS name for a repository, which always leads to the tree of its head. */
import { shellWord } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import type { SnapshotRecord } from '../core/model.ts';

/** What publishing needs of a daemon. */
export interface Names {
  /** Names of its keys. */
  keys(): Promise<readonly string[]>;
  make(key: string): Promise<void>;
  rename(key: string, to: string): Promise<void>;
  publish(key: string, path: string, lifetime: string | undefined): Promise<{ readonly name: string; readonly value: string }>;
}

export interface Published {
  readonly repository: string;
  /** The peer that has the key, and keeps the record alive. */
  readonly peer: string;
  /** The IPNS name, without `/ipns/`. */
  readonly name: string;
  /** `/ipfs/` and the root of the tree. */
  readonly value: string;
  /** The TXT record of `_dnslink.<domain>`. */
  readonly dnslink: string;
}

export interface PublishOptions {
  readonly head: SnapshotRecord;
  /** Daemons that may have the key, by name of the peer; the first makes it if none has. */
  readonly names: ReadonlyMap<string, Names>;
  readonly lifetime: string | undefined;
  /** ID of this home: homes that share a daemon may have repositories of one name. */
  readonly home: string;
  /** The home comes from a time when a key had the name of the repository alone: such a key is its own. */
  readonly isFormer: boolean;
  /** What the repository was called when a key may have been made for it, and no other repository is called now. */
  readonly formerNames: readonly string[];
  /** Name of a key that this home takes over, and with it the IPNS name. */
  readonly takeKey: string | undefined;
}

/**
 * Comes after the commit: what the head names is on its peers, confirmed. The daemon that has the key publishes: with another's
 * the name would be another.
 * @throws ShardctlError `TOO_FEW_PEERS` when a daemon does not answer: it may be the one that has the key; `USAGE` when only another home has one
 */
export async function publish(options: PublishOptions): Promise<Published> {
  const { head, names, lifetime, home } = options;
  if (names.size === 0) {
    throw new ShardctlError('TOO_FEW_PEERS', 'no Kubo daemon is set up that could publish a name', {
      hint: 'add one with `shardctl peers add kubo URL`',
    });
  }
  const own = keyOf(home, head.repository);
  const [peer, daemon] = await withKey(options, own);
  const { name, value } = await daemon.publish(own, `/ipfs/${head.tree}`, lifetime);
  return { repository: head.repository, peer, name, value, dnslink: `dnslink=/ipns/${name}` };
}

/**
 * A repository has another name now: so has its key, wherever it is. The IPNS name stays.
 * @returns for each daemon that could not be asked why
 */
export async function renameKey(
  names: ReadonlyMap<string, Names>,
  home: string,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<Map<string, ShardctlError>> {
  const silent = new Map<string, ShardctlError>();
  for (const [peer, daemon] of names) {
    try {
      if ((await daemon.keys()).includes(keyOf(home, from))) await daemon.rename(keyOf(home, from), keyOf(home, to));
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      silent.set(peer, error);
    }
  }
  return silent;
}

/** Homes that share a daemon may have repositories of one name. */
export function keyOf(home: string, repository: string): string {
  return `shardctl-${home}-${encodeURIComponent(repository)}`;
}

/** The daemon that has this home's key for the repository, as it is called now. */
async function withKey(options: PublishOptions, own: string): Promise<[string, Names]> {
  const { head, names, home, isFormer, formerNames, takeKey } = options;
  const former = `shardctl-${encodeURIComponent(head.repository)}`;
  const found: { readonly peer: string; readonly daemon: Names; readonly key: string }[] = [];
  for (const [peer, daemon] of names) for (const key of await daemon.keys()) found.push({ peer, daemon, key });
  const [first] = names;
  const having = (key: string) => found.find((it) => it.key === key);
  const mine = having(own);
  if (mine !== undefined && takeKey === undefined) return [mine.peer, mine.daemon];
  const formerKeys = [...formerNames.map((name) => keyOf(home, name)), ...(isFormer ? [former] : [])];
  const taken = (takeKey === undefined ? formerKeys : [takeKey]).map(having).find((it) => it !== undefined);
  if (taken !== undefined) {
    // Renamed, the key stays the same, and so does the IPNS name that people know.
    if (taken.key !== own) await taken.daemon.rename(taken.key, own);
    return [taken.peer, taken.daemon];
  }
  if (takeKey !== undefined) throw new ShardctlError('NOT_FOUND', `no daemon has a key "${takeKey}"`);
  const others = found.filter(({ key }) => key === former || OTHERS.exec(key)?.[1] === encodeURIComponent(head.repository));
  if (others[0] !== undefined) {
    throw new ShardctlError('USAGE', `another home publishes a ${head.repository} through peer "${others[0].peer}" already`, {
      hint: `if that home is gone, or was this one, take its name over: \`shardctl publish ${shellWord(head.repository)} --take-key ${shellWord(others[0].key)}\`; else publish under another repository's name, or through another daemon with --peer`,
    });
  }
  const [peer, daemon] = first as [string, Names];
  await daemon.make(own);
  return [peer, daemon];
}

/** A key of any home, and in it the repository's name. Kubo keeps keys in files of their names. */
const OTHERS = /^shardctl-[0-9a-f]{12}-(.*)$/;
