/** `publish`: an IPNS name for a repository, which always leads to the tree of its head. */
import { ShardctlError } from './errors.ts';
import type { SnapshotRecord } from './model.ts';

/** What publishing needs of a daemon. */
export interface Names {
  has(key: string): Promise<boolean>;
  make(key: string): Promise<void>;
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
}

/**
 * Comes after the commit: what the head names is on its peers, confirmed. The daemon that has the key publishes: with another's
 * the name would be another.
 * @throws ShardctlError `TOO_FEW_PEERS` when a daemon does not answer: it may be the one that has the key
 */
export async function publish({ head, names, lifetime }: PublishOptions): Promise<Published> {
  const key = keyOf(head.repository);
  let chosen: [string, Names] | undefined;
  for (const entry of names) if (chosen === undefined && (await entry[1].has(key))) chosen = entry;
  if (chosen === undefined) {
    [chosen] = names;
    if (chosen === undefined) {
      throw new ShardctlError('TOO_FEW_PEERS', 'no Kubo daemon is set up that could publish a name', {
        hint: 'add one with `shardctl peers add kubo URL`',
      });
    }
    await chosen[1].make(key);
  }
  const { name, value } = await chosen[1].publish(key, `/ipfs/${head.tree}`, lifetime);
  return { repository: head.repository, peer: chosen[0], name, value, dnslink: `dnslink=/ipns/${name}` };
}

/** Kubo keeps keys in files of their names. */
function keyOf(repository: string): string {
  return `shardctl-${encodeURIComponent(repository)}`;
}
