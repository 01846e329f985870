/** `shardctl accept NAME@N`: make a snapshot the head that the gate holds back. */
import { EXIT, ShardctlError } from '../../core/errors.ts';
import { snapshotName } from '../../core/model.ts';
import { requireHome } from '../../home/home.ts';
import { accept } from '../../maintain/accept.ts';
import type { Context } from '../command-line/context.ts';
import { resolveRef } from '../command-line/ref.ts';
import { counted } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { type Session, sharing } from '../session/session.ts';
import { checkHookTimeout, tellOfHead } from '../steps/tell-of-head.ts';

export async function run(context: Context): Promise<number> {
  const { args, home } = context;
  const ref = args.argument(0);
  if (!/@\d+$/.test(ref)) {
    throw new ShardctlError('USAGE', `which snapshot? name it by its number, as in ${ref.replace(/@.*/s, '')}@7`, {
      hint: '`shardctl status` shows what the gate holds back',
    });
  }
  requireHome(home);
  await checkHookTimeout(context);
  return await sharing(context, async (session) => {
    const { repository } = resolveRef(ref, session.index).snapshot;
    return await session.withRepository(repository, () => acceptIn(context, session, ref));
  });
}

/** Must be called with the repository locked. */
async function acceptIn(context: Context, session: Session, ref: string): Promise<number> {
  const { args, home, reporter } = context;
  const { index, peers } = session;
  const { snapshot } = resolveRef(ref, index);
  const before = index.repository(snapshot.repository)?.head ?? 0;
  const emit = reporter.event.bind(reporter);
  const { repository, number, cid, tree, gate } = await accept({ index, peers, heads: home.heads, emit }, snapshot);
  const isHeadAlready = before === number;
  const count = gate?.count ?? 0;
  if (!context.quiet || context.json) {
    answer(
      context,
      [{ type: 'accepted', repository, number, cid, tree, before: before === 0 ? null : before, contradictions: count }],
      () => [
        isHeadAlready
          ? `${snapshotName(snapshot)} is the head already`
          : `${snapshotName(snapshot)} is the head now, with ${counted(count, 'contradiction')}${before === 0 ? '' : `; before, it was ${repository}@${before}`}`,
      ],
    );
  }
  if (args.flag('publish')) await (await import('../steps/publish-snapshot.ts')).publishAfter(context, session, repository);
  if (!isHeadAlready) await tellOfHead(context, session, repository);
  return EXIT.done;
}
