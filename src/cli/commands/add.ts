/** `shardctl add DIR`: import a tree, or bring its repository up to date. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { profileOf } from '../../dag/profile.ts';
import { displayPath } from '../../display.ts';
import { EXIT, errnoOf, ShardctlError } from '../../errors.ts';
import type { Event, Summary } from '../../events.ts';
import { fsPath, toBytes } from '../../fs-path.ts';
import { DEFAULT_PROFILE } from '../../home/config.ts';
import { ingest } from '../../ingest.ts';
import type { ByteString } from '../../model.ts';
import { statSource } from '../../scan/walk.ts';
import { readFilters, replicationOf, sizeOf } from '../add-options.ts';
import type { Context } from '../context.ts';
import { countAhead } from '../count-ahead.ts';
import { checkRepositoryName } from '../ref.ts';
import { peerPath, peersOrDefault, type Session, writing } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  const { args, cwd, output, reporter } = context;
  const dir = resolve(cwd, args.positionals[0] as string);
  const source = toBytes(dir);
  // Everything that can be wrong with the command itself is found before a home is made or a lock is taken.
  const filters = readFilters(context);
  const chunker = args.text('chunker');
  const asked = { shardBytes: sizeOf(args, 'shard-size'), replication: replicationOf(args), profile: args.text('cid-profile') };
  if (asked.profile !== undefined || chunker !== undefined) profileOf(asked.profile ?? DEFAULT_PROFILE, chunker);
  statSource(source);
  const repository = checkRepositoryName(args.text('name') ?? basename(dir));
  refuseInside(dir, context.home.dir, 'the home');

  const summary = await writing(context, async (session) => {
    const { config, index } = session;
    for (const peer of config.peers) refuseInside(dir, peerPath(context.home, peer), `peer "${peer.name}"`);
    checkSource(context, session, repository, source);
    const peers = await peersOrDefault(context, session);
    const emit = (event: Event) => reporter.event(event);
    const counting = context.watched ? countAhead({ source, filters }, emit) : undefined;
    const done = ingest({
      repository,
      source,
      metadata: !args.flag('no-metadata'),
      profile: profileOf(asked.profile ?? config.profile, chunker),
      chunker,
      filters,
      spool: context.home.spool,
      heads: context.home.heads,
      index,
      peers,
      replication: asked.replication ?? config.replication,
      allocateBy: config.allocateBy,
      shardBytes: asked.shardBytes ?? config.shardSize,
      toolVersion: context.version,
      emit: counting?.emit ?? emit,
      signal: context.signal,
      now: context.now,
    });
    return await done.finally(() => counting?.stop());
  });
  if (args.flag('root-only') && !context.json) output.line(summary.tree);
  return exitCodeOf(summary);
}

function exitCodeOf({ problems }: Summary): number {
  if (problems.unreadable > 0) return EXIT.unreadable;
  if (problems.vanished > 0 || problems.changed > 0) return EXIT.unstable;
  return EXIT.done;
}

/** What shardctl writes must not be part of what it reads: such an import would never end. */
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

/** Two mirrors whose directories have the same name must not replace each other; one that has moved may go on. */
function checkSource(context: Context, { index }: Session, repository: string, source: ByteString): void {
  const known = index.repository(repository);
  if (known === undefined || known.source === source) return;
  const before = displayPath(known.source);
  if (context.args.text('name') === undefined && isThere(known.source)) {
    throw new ShardctlError('USAGE', `repository ${repository} is the import of ${before}, which is still there`, {
      hint: `to import both, give this one a name of its own with --name; to go on with the new place, say --name ${repository}`,
    });
  }
  context.reporter.event({
    type: 'warning',
    message: `repository ${repository} was imported from ${before} before, and now is from ${displayPath(source)}`,
  });
}

function isThere(source: ByteString): boolean {
  try {
    return realpathSync(fsPath(source)) !== '';
  } catch {
    return false;
  }
}
