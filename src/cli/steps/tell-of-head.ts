/** What the commands that move a head have in common: the hook `--on-commit`. */
import type { Summary } from '../../core/events.ts';
import type { Context } from '../command-line/context.ts';
import type { Session } from '../session/session.ts';

/** A mistake in the command is found before the run, not after hours. @throws ShardctlError `USAGE` */
export async function checkHookTimeout({ args }: Context): Promise<void> {
  if (args.text('hook-timeout') !== undefined) (await import('../hooks/hook-settings.ts')).hookTimeoutMs(args, undefined);
}

/** Runs the hook, where there is one, for a head of which it was not told yet. @param made what this run has done, where it has counted that */
export async function tellOfHead(
  context: Context,
  session: Pick<Session, 'config' | 'index'>,
  repository: string,
  made?: Summary,
): Promise<void> {
  const own = session.index.repository(repository)?.upkeep?.onCommit;
  if ((context.args.text('on-commit') ?? own ?? session.config.onCommit) === undefined) return;
  await (await import('../hooks/commit-hook.ts')).runCommitHook(context, session, repository, made);
}
