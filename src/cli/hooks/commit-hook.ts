/**
 * `--on-commit`: runs when a repository has a new head, which is published by then where that was asked for. Each head is told until the
 * hook has ended well, also by later runs that find nothing new: a run may be killed in between, and a CDN may be down.
 */
import { hostname } from 'node:os';
import type { Summary } from '../../core/events.ts';
import { snapshotName } from '../../core/model.ts';
import { noteTold, toldHead } from '../../home/runs/records.ts';
import { formatSize } from '../../home/sizes.ts';
import type { Context } from '../command-line/context.ts';
import { counted } from '../reporter/text.ts';
import type { Session } from '../session/session.ts';
import { runHook } from './hook-process.ts';
import { chosenHook, hookTimeoutMs } from './hook-settings.ts';
import { type CommitMessage, MESSAGE_VERSION } from './messages.ts';

/** Fails for nothing: what is wrong with the hook is a warning. @param made what this run has done */
export async function runCommitHook(
  context: Context,
  { config, index }: Pick<Session, 'config' | 'index'>,
  repository: string,
  made: Pick<Summary, 'number' | 'unchanged' | 'changedEntries' | 'newBytes'> | undefined,
): Promise<void> {
  const { args, home, now, output, quiet, reporter, signal } = context;
  const told = {
    onCommandLine: args.text('on-commit'),
    ofRepository: index.repository(repository)?.upkeep?.onCommit,
    ofHome: config.onCommit,
  };
  const command = chosenHook(told, home, (why) => reporter.event({ type: 'warning', message: why }));
  if (command === undefined) return;
  const head = index.snapshot(repository, index.repository(repository)?.head ?? 0);
  if (head === undefined || toldHead(home.runs, repository)?.tree === head.tree) return;
  const isMade = made !== undefined && !made.unchanged && made.number === head.number;
  const news = isMade ? { changedEntries: made.changedEntries, newBytes: made.newBytes } : {};
  const what = isMade ? `: ${counted(made.changedEntries, 'change')}, ${formatSize(made.newBytes)} new` : '';
  const message: CommitMessage = {
    version: MESSAGE_VERSION,
    hook: 'commit',
    text: `${snapshotName(head)} is the head of ${repository} on ${hostname()}${what}`,
    host: hostname(),
    home: home.dir,
    command: args.shown,
    time: new Date(now()).toISOString(),
    repository,
    number: head.number,
    tree: head.tree,
    snapshot: head.cid,
    files: head.counts.files,
    bytes: head.bytes,
    ...news,
  };
  const kept: string[] = [];
  const show = (line: string) => output.note(`on-commit: ${line}`);
  const why = await runHook({
    command,
    message,
    env: {
      SHARDCTL_HOOK: 'commit',
      SHARDCTL_HOME: home.dir,
      SHARDCTL_REPOSITORY: repository,
      SHARDCTL_NUMBER: String(head.number),
      SHARDCTL_TREE: head.tree,
      SHARDCTL_SNAPSHOT: head.cid,
      SHARDCTL_TEXT: message.text,
    },
    timeoutMs: hookTimeoutMs(args, config),
    signal,
    onLine: quiet ? (line) => kept.push(line) : show,
  });
  signal.throwIfAborted();
  if (why === undefined) {
    noteTold(home.runs, repository, { number: head.number, tree: head.tree });
    return;
  }
  for (const line of kept) show(line);
  reporter.event({ type: 'warning', message: `the hook on-commit of ${repository} has failed: ${why}; the next run calls it again` });
}
