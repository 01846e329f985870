/** `NAME`, `NAME@7`, `NAME@2026-11-25`, `NAME@TAG` or a snapshot's CID, with or without a `/PATH`: which tree is meant, and what in it. */
import { displayText, shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type ByteString, isHeld, type SnapshotRecord, snapshotName, type Tags } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { endOfDate, snapshotAt } from '../../snapshot/snapshot-date.ts';
import { usage } from './args.ts';

/** As much of the index as is needed to find a snapshot. */
export interface Snapshots {
  repositories(): readonly { readonly name: string; readonly head: number; readonly tags?: Tags }[];
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
  if (name === '')
    throw usage(`"${text}" names no repository: a path is written after a name, NAME${slash === 0 ? displayText(text) : '/PATH'}`);
  return { snapshot: snapshotOf(name, index), path };
}

function snapshotOf(name: string, index: Snapshots): SnapshotRecord {
  const repositories = index.repositories();
  const at = name.lastIndexOf('@');
  const repositoryName = at < 0 ? name : name.slice(0, at);
  const repository = repositories.find((record) => record.name === repositoryName);
  if (repository !== undefined) {
    const snapshots = index.snapshots(repositoryName);
    const when = at < 0 ? undefined : name.slice(at + 1);
    const snapshot = snapshotAt(snapshots, when ?? String(repository.head), repository.tags);
    if (snapshot !== undefined) return snapshot;
    throw when === undefined ? noHead(name, snapshots) : noSuchSnapshot(repositoryName, when, snapshots);
  }
  for (const { name: owner } of repositories) {
    const snapshot = index.snapshots(owner).findLast((record) => record.cid === name || record.tree === name);
    if (snapshot !== undefined) return snapshot;
  }
  throw new ShardctlError('NOT_FOUND', `no repository or snapshot "${displayText(name)}"`, {
    hint: '`shardctl status` lists what is there',
  });
}

function noHead(name: string, snapshots: readonly SnapshotRecord[]): ShardctlError {
  const held = snapshots.findLast(isHeld);
  if (held === undefined)
    return new ShardctlError('NOT_FOUND', `repository ${name} has no snapshot yet`, { hint: 'run `shardctl add` for it again' });
  return new ShardctlError('NOT_FOUND', `the gate holds back all that there is of ${name}`, {
    hint: `\`shardctl status\` says why; \`shardctl accept ${shellWord(snapshotName(held))}\` makes it the head`,
  });
}

function noSuchSnapshot(repository: string, when: string, [oldest]: readonly SnapshotRecord[]): ShardctlError {
  const list = `\`shardctl snapshots ${shellWord(repository)}\` lists those that are there`;
  if (endOfDate(when) !== undefined && oldest !== undefined) {
    const which = `the oldest snapshot is ${snapshotName(oldest)} of ${oldest.time}`;
    return new ShardctlError('NOT_FOUND', `${repository} has no snapshot of ${when} or before: ${which}`, { hint: list });
  }
  const isNumber = /^\d+$/.test(when);
  return new ShardctlError('NOT_FOUND', `there is no snapshot ${repository}@${displayText(when)}`, {
    hint: isNumber ? list : `${list}, with their tags; a date is written 2026-11-25 or 20261125T120000Z, in UTC`,
  });
}

/** Whether a reference means whatever snapshot is the newest at some date: which one that is changes when snapshots are forgotten. */
export function isDated(text: string): boolean {
  const at = text.lastIndexOf('@');
  return at >= 0 && endOfDate(text.slice(at + 1)) !== undefined;
}
