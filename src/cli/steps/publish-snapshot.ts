/** Publishes a snapshot of a repository through the Kubo daemons of the settings. */
import { ShardctlError } from '../../core/errors.ts';
import { type SnapshotRecord, snapshotName } from '../../core/model.ts';
import { type Published, publish } from '../../exchange/publish.ts';
import { readIdentity } from '../../home/identity.ts';
import type { Index } from '../../index/index.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { answer } from '../results/results.ts';
import type { Session } from '../session/session.ts';

/**
 * @param isWriting whether this run holds the lock. One that does not has nothing to note; should another run commit meanwhile, what that
 * one notes stands.
 * @throws ShardctlError `USAGE`, `TOO_FEW_PEERS`
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
  // Noted first: a name that points at a snapshot keeps it from being forgotten.
  const isHead = index.repository(snapshot.repository)?.head === snapshot.number;
  if (isWriting && !isHead) await notePublished(index, snapshot, snapshot.number);
  const own = { home, isFormer, formerNames: free, takeKey: args.text('take-key') };
  const published = await publish({ snapshot, lifetime, names, ...own, withSnapshot: args.flag('snapshot') });
  if (isWriting && isHead) await notePublished(index, snapshot, undefined);
  return published;
}

/** What each name leads to, a line each. */
export function namesOf({ name, value, snapshotName, snapshotValue }: Published): string[] {
  const snapshot = snapshotName === undefined ? [] : [`/ipns/${snapshotName} -> ${snapshotValue}, the snapshot`];
  return [`/ipns/${name} -> ${value}`, ...snapshot];
}

/** Whether publishing this snapshot changes the record of its repository, which only the holder of the lock may. */
export function changesRecord(index: Index, { repository, number }: SnapshotRecord): boolean {
  const { head, published } = index.repository(repository) ?? {};
  return (number === head ? undefined : number) !== published;
}

/** @param number of the snapshot at which the name points; undefined when it is the head */
async function notePublished(index: Index, { repository }: SnapshotRecord, number: number | undefined): Promise<void> {
  const record = index.repository(repository);
  if (record === undefined || record.published === number) return;
  const { published: _, ...rest } = record;
  await index.saveRepository(number === undefined ? rest : { ...rest, published: number });
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
