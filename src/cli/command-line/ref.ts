/** `NAME`, `NAME@7` or a snapshot's CID, with or without a `/PATH`: which tree is meant, and what in it. */
import { shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import type { ByteString, SnapshotRecord } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { usage } from './args.ts';

/** As much of the index as is needed to find a snapshot. */
export interface Snapshots {
  repositories(): readonly { readonly name: string; readonly head: number }[];
  snapshots(repository: string): readonly SnapshotRecord[];
}

export interface Found {
  readonly snapshot: SnapshotRecord;
  /** Inside the tree, without a leading or trailing slash; empty for the tree itself. */
  readonly path: ByteString;
}

/**
 * Bytes that are not UTF-8 do not survive Node's argv: such a path is reached by listing its directory, or with `get`.
 * @throws ShardctlError `NOT_FOUND` when no snapshot goes by that name
 */
export function resolveRef(text: string, index: Snapshots): Found {
  const slash = text.indexOf('/');
  const name = slash < 0 ? text : text.slice(0, slash);
  const path = slash < 0 ? '' : toBytes(text.slice(slash + 1).replace(/^\/+|\/+$/g, ''));
  if (name === '') throw usage(`"${text}" names no repository`);
  return { snapshot: snapshotOf(name, index), path };
}

function snapshotOf(name: string, index: Snapshots): SnapshotRecord {
  const repositories = index.repositories();
  const at = name.lastIndexOf('@');
  const repositoryName = at < 0 ? name : name.slice(0, at);
  const repository = repositories.find((record) => record.name === repositoryName);
  if (repository !== undefined) {
    const number = at < 0 ? repository.head : Number(name.slice(at + 1));
    const snapshot = index.snapshots(repositoryName).find((record) => record.number === number);
    if (snapshot !== undefined) return snapshot;
    throw new ShardctlError('NOT_FOUND', at < 0 ? `repository ${name} has no snapshot yet` : `no snapshot ${name}`, {
      hint: at < 0 ? 'run `shardctl add` for it again' : `\`shardctl snapshots ${shellWord(repositoryName)}\` lists those that are there`,
    });
  }
  for (const { name: owner } of repositories) {
    const snapshot = index.snapshots(owner).findLast((record) => record.cid === name || record.tree === name);
    if (snapshot !== undefined) return snapshot;
  }
  throw new ShardctlError('NOT_FOUND', `no repository or snapshot "${name}"`, { hint: '`shardctl status` lists what is there' });
}
