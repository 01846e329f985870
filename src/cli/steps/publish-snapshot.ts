/** Publishes a snapshot of a repository through the Kubo daemons of the settings. */
import { ShardctlError } from '../../core/errors.ts';
import { type RepositoryRecord, type SnapshotRecord, snapshotName } from '../../core/model.ts';
import { type Published, publish } from '../../exchange/publish.ts';
import { readIdentity } from '../../home/identity.ts';
import type { Index } from '../../index/index.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { answer } from '../results/results.ts';
import type { Session } from '../session/session.ts';

/**
 * @param isWriting whether this run holds the lock of the repository. One that does not has nothing to note, and looks again afterwards
 * at what the name is to lead to (`nameLeadsTo`), as others may have moved the head meanwhile, and forgotten the snapshot.
 * @throws ShardctlError `USAGE`, `TOO_FEW_PEERS`, `NOT_FOUND` when the snapshot was forgotten a moment ago
 */
export async function publishSnapshot(
  context: Context,
  { config, index }: Pick<Session, 'config' | 'index'>,
  snapshot: SnapshotRecord,
  isWriting = true,
): Promise<Published> {
  const { args } = context;
  const lifetime = args.text('lifetime');
  if (lifetime !== undefined && !/^\d+(\.\d+)?(s|m|h)$/.test(lifetime))
    throw usage(`--lifetime "${lifetime}" is not a time such as 48h or 90m`, args.command);
  const { kuboNames } = await import('../session/kubo-peers.ts');
  const identity = readIdentity(context.home);
  if (identity === undefined) throw new Error('a home that publishes has no ID');
  const { id: home, isFormer = false } = identity;
  const names = await kuboNames(context, config, args.text('peer'));
  const { formerNames = [] } = index.repository(snapshot.repository) ?? {};
  const free = formerNames.filter((name) => index.repository(name) === undefined);
  // Noted first, beside all that the name may point at until then: whether or not this ends, none of it is forgotten.
  if (isWriting) await notePublishing(index, snapshot);
  const own = { home, isFormer, formerNames: free, takeKey: args.text('take-key') };
  const published = await publish({ snapshot, lifetime, names, ...own, withSnapshot: args.flag('snapshot') });
  if (isWriting) await notePublished(index, snapshot);
  return published;
}

/** What each name leads to, a line each. */
export function namesOf({ name, value, snapshotName, snapshotValue }: Published): string[] {
  const snapshot = snapshotName === undefined ? [] : [`/ipns/${snapshotName} -> ${snapshotValue}, the snapshot`];
  return [`/ipns/${name} -> ${value}`, ...snapshot];
}

/** Number of the snapshot to which the name of a repository leads, or will in a moment. */
export function nameLeadsTo({ head, published, publishing }: RepositoryRecord): number {
  return publishing?.at(-1) ?? published ?? head;
}

/** Whether publishing this snapshot needs the lock, and is noted: the head, where the name follows it, is kept from being forgotten as the head. */
export function needsLock(index: Index, { repository, number }: SnapshotRecord): boolean {
  const { head, published, publishing } = index.repository(repository) ?? {};
  return number !== head || published !== undefined || publishing !== undefined;
}

async function notePublishing(index: Index, snapshot: SnapshotRecord): Promise<void> {
  const { repository, number } = snapshot;
  const record = index.repository(repository);
  if (record === undefined || !needsLock(index, snapshot)) return;
  const publishing = [...(record.publishing ?? []).filter((other) => other !== number), number];
  if (!(await index.relyOn({ ...record, publishing }, number)))
    throw new ShardctlError('NOT_FOUND', `${repository}@${number} was forgotten a moment ago`);
}

async function notePublished(index: Index, { repository, number }: SnapshotRecord): Promise<void> {
  const record = index.repository(repository);
  if (record === undefined) return;
  const { published, publishing, ...rest } = record;
  const now = record.head === number ? undefined : number;
  if (published !== now || publishing !== undefined) await index.saveRepository(now === undefined ? rest : { ...rest, published: now });
}

/**
 * Publishes the head at the end of a run, also when nothing has changed: the run before may have committed, and then failed at this. While
 * the gate holds back all that there is, there is nothing to publish.
 */
export async function publishAfter(context: Context, session: Session, repository: string): Promise<void> {
  const { index } = session;
  const head = index.snapshot(repository, index.repository(repository)?.head ?? 0);
  if (head === undefined) return;
  try {
    const published = await publishSnapshot(context, session, head);
    if (context.json || !context.quiet) answer(context, [{ type: 'published', ...published }], () => namesOf(published));
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    const { code, message, hint, retryable } = error;
    throw new ShardctlError(code, `${snapshotName(head)} is committed, but not published: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      retryable,
      cause: error,
    });
  }
}
