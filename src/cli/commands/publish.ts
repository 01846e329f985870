/** `shardctl publish REF`: point the repository's IPNS name at the tree of its head, or of an older snapshot. */
import { shellWord } from '../../core/display.ts';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import { isHeld, type SnapshotRecord, snapshotName } from '../../core/model.ts';
import { requireHome } from '../../home/home.ts';
import { readIdentity } from '../../home/identity.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { resolveRef } from '../command-line/ref.ts';
import { answer } from '../results/results.ts';
import { reading, type Session, sharing } from '../session/session.ts';
import { nameLeadsTo, namesOf, needsLock, publishSnapshot } from '../steps/publish-snapshot.ts';

export async function run(context: Context): Promise<number> {
  const ref = context.args.argument(0);
  requireHome(context.home);
  // The key is named after the ID of the home. One that has none yet is given it, which only the holder of the lock may do.
  const isWriting =
    readIdentity(context.home) === undefined ||
    (await reading(context, async ({ index }) => needsLock(index, resolveRef(ref, index).snapshot)));
  if (!isWriting) return await reading(context, (session) => publishIn(context, session, ref, false));
  return await sharing(context, async (session) => {
    const { repository } = resolveRef(ref, session.index).snapshot;
    return await session.withRepository(repository, () => publishIn(context, session, ref, true));
  });
}

/** @param isWriting whether the repository is locked; without that, it is its head, and the name follows the head */
async function publishIn(context: Context, session: Session, ref: string, isWriting: boolean): Promise<number> {
  const { index } = session;
  let { snapshot, path } = resolveRef(ref, index);
  if (path !== '') throw usage(`"${ref}" is a part of a tree: a name points at whole trees`, context.args.command);
  refuseHeld(snapshot, index.repository(snapshot.repository)?.head ?? 0);
  let published = await publishSnapshot(context, session, snapshot, isWriting);
  while (!isWriting) {
    index.refresh();
    const record = index.repository(snapshot.repository);
    const now = record && index.snapshot(snapshot.repository, nameLeadsTo(record));
    if (now === undefined || now.number === snapshot.number) break;
    snapshot = now;
    published = await publishSnapshot(context, session, snapshot, false);
  }
  if (context.quiet && !context.json) return EXIT.done;
  const { repository, number } = snapshot;
  const isHead = index.repository(repository)?.head === number;
  answer(context, [{ type: 'published', ...published }], () => [
    ...namesOf(published),
    `DNS: TXT record of _dnslink.<domain>: "${published.dnslink}"`,
    ...(isHead
      ? []
      : [
          `that is ${snapshotName(snapshot)}; \`shardctl publish ${shellWord(repository)}\`, or the next update with --publish, moves the name back to the newest`,
        ]),
  ]);
  return EXIT.done;
}

/** Whoever wants it published wants it to be the head: else the next update would move the name back. */
function refuseHeld(snapshot: SnapshotRecord, head: number): void {
  if (!isHeld(snapshot) || snapshot.number < head) return;
  throw new ShardctlError('USAGE', `the gate holds ${snapshotName(snapshot)} back`, {
    hint: `\`shardctl accept ${shellWord(snapshotName(snapshot))} --publish\` makes it the head, and publishes it`,
  });
}
