/** One repository brought up to date, or that planned: what `add` and `update` have in common. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EXIT, errnoOf, ShardctlError } from '../../core/errors.ts';
import type { Event, Problems, Summary } from '../../core/events.ts';
import type { ByteString, CidProfile } from '../../core/model.ts';
import type { Config } from '../../home/config.ts';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { checkPeersNamed } from '../../storing/allocate/allocators.ts';
import { ownDemand } from '../../storing/demand.ts';
import { update } from '../../update/update.ts';
import type { Context } from '../command-line/context.ts';
import type { RunOptions } from '../command-line/run-options.ts';
import { countAhead } from '../reporter/count-ahead.ts';
import { peerPath, peersOrDefault, type Session } from '../session/session.ts';
import { throttleAt } from './throttle.ts';

/** What is imported, and how. */
export interface ImportRequest {
  readonly repository: string;
  /** Absolute path. */
  readonly source: ByteString;
  readonly metadata: boolean;
  readonly profile: CidProfile;
  readonly chunker: string | undefined;
  readonly filters: readonly ByteString[];
  /** Store symlinks that lead to something inside the source as that. */
  readonly copyLinks: boolean;
}

/** Must be called by the only writer. @throws ShardctlError */
export async function importTree(context: Context, session: Session, request: ImportRequest, options: RunOptions): Promise<Summary> {
  const { source, filters, copyLinks } = request;
  const peers = await peersOrDefault(context, session);
  const emit = (event: Event) => context.reporter.event(event);
  const counting = context.watched ? countAhead({ source, filters, copyLinks }, emit) : undefined;
  const done = update({
    ...settingsOf(context, { ...session, peers }, request, options),
    chunker: request.chunker,
    throttle: await throttleAt(options.bwlimit, context),
    itemize: options.itemize,
    spool: context.home.spool,
    heads: context.home.heads,
    pending: context.home.pending,
    index: session.index,
    peers,
    toolVersion: context.version,
    emit: counting?.emit ?? emit,
  });
  const summary = await done.finally(() => counting?.stop());
  if (context.args.flag('publish')) await (await import('./publish-head.ts')).publishAfter(context, session, summary);
  return summary;
}

/** As much of a session as a plan needs. */
export interface PlanSession {
  readonly config: Config;
  readonly index: Index | undefined;
  readonly peers: ReadonlyMap<string, Peer>;
}

/** Tells what `importTree` would do. @throws ShardctlError as that would */
export async function planTree(
  context: Context,
  session: PlanSession,
  request: ImportRequest,
  options: RunOptions,
): Promise<{ readonly problems: Problems }> {
  const { planRun } = await import('../../update/dry-run.ts');
  const emit = (event: Event) => context.reporter.event(event);
  const { index, peers } = session;
  const { pending } = context.home;
  return await planRun({ ...settingsOf(context, session, request, options), index, peers, pending, emit });
}

function settingsOf(context: Context, { config, index, peers }: PlanSession, request: ImportRequest, options: RunOptions) {
  const { repository, source, metadata, filters, copyLinks } = request;
  const { replication, allocateBy } = config;
  const own = ownDemand(index?.repository(repository), options);
  refuseOurs(context, config, source);
  if (options.allocateBy !== undefined) checkPeersNamed(peers, options.allocateBy);
  return {
    repository,
    source,
    metadata,
    filters,
    copyLinks,
    profile: request.profile,
    trust: options.trust,
    maxDelete: options.maxDelete,
    ownDemand: own,
    ...{ replication, allocateBy, ...own },
    transfers: options.transfers,
    shardBytes: options.shardBytes ?? config.shardSize,
    secondThread: context.secondThread,
    signal: context.signal,
    now: context.now,
  };
}

export function exitCodeOf({ problems }: { readonly problems: Problems }): number {
  if (problems.unreadable > 0) return EXIT.unreadable;
  if (problems.vanished > 0 || problems.changed > 0) return EXIT.unstable;
  return EXIT.done;
}

/**
 * What shardctl writes must not be part of what it reads: such an import would never end.
 * @throws ShardctlError `HOME_IN_SOURCE`
 */
export function refuseOurs({ home }: Context, { peers }: Pick<Config, 'peers'>, source: ByteString): void {
  const dir = Buffer.from(source, 'latin1').toString();
  refuseInside(dir, home.dir, 'the home');
  for (const peer of peers) if (peer.kind === 'local') refuseInside(dir, peerPath(home, peer), `peer "${peer.name}"`);
}

function refuseInside(dir: string, ours: string, what: string): void {
  const inside = `${realPath(ours)}/`.startsWith(`${realPath(dir)}/`.replace(/^\/+/, '/'));
  if (!inside) return;
  throw new ShardctlError('HOME_IN_SOURCE', `${what} (${ours}) is inside the directory to add (${dir})`, {
    hint: what === 'the home' ? 'put the home elsewhere with --home or SHARDCTL_HOME' : 'add another directory, or store elsewhere',
  });
}

/** The path without symlinks, as far as it is there. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const parent = dirname(path);
    if (errnoOf(error) !== 'ENOENT' || parent === path) return path;
    return join(realPath(parent), basename(path));
  }
}
