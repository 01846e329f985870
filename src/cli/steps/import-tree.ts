/** Brings one repository up to date, or says what that would do: what `add` and `update` have in common. */
import { EXIT } from '../../core/errors.ts';
import type { Event, Summary } from '../../core/events.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import type { Config } from '../../home/config.ts';
import { FullPeers } from '../../home/runs/full-peers.ts';
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { checkPeersNamed } from '../../storing/allocate/allocators.ts';
import { ownDemand } from '../../storing/demand.ts';
import type { ImportRequest, IngestControl } from '../../update/ingest-run.ts';
import { update } from '../../update/update.ts';
import type { Context } from '../command-line/context.ts';
import { gateOptions } from '../command-line/gate-options.ts';
import type { RunOptions } from '../command-line/run-options.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { countAhead } from '../reporter/count-ahead.ts';
import type { SharedSession } from '../session/session.ts';
import { gateOrder } from './gate-order.ts';
import { graceOf } from './grace-of.ts';
import { refuseOurs } from './our-places.ts';
import { checkHookTimeout, tellOfHead } from './tell-of-head.ts';
import { throttleAt } from './throttle.ts';

/** What is imported, and how. */
export type ImportChoice = Pick<
  ImportRequest,
  'repository' | 'source' | 'metadata' | 'profile' | 'chunker' | 'filters' | 'copyLinks' | 'told' | 'fullEvery'
>;

/** Must be called with the repository locked. @throws ShardctlError */
export async function importTree(context: Context, session: SharedSession, choice: ImportChoice, options: RunOptions): Promise<Summary> {
  const { source, filters, copyLinks } = choice;
  await checkHookTimeout(context);
  const emit = (event: Event) => context.reporter.event(event);
  emit({ type: 'started', repository: choice.repository });
  const counting = context.watched ? countAhead({ source, filters, copyLinks }, emit) : undefined;
  const { index, peers, spool, inTurn } = session;
  const { heads, pending } = context.home;
  const fullPeers = new FullPeers(context.home.runs);
  context.onTold(() => fullPeers.save());
  const done = update({
    request: requestOf(context, session, choice, options),
    home: { index, peers, spool, inTurn, heads, pending },
    control: {
      ...controlOf(context, session),
      fullPeers,
      transfers: options.transfers,
      throttle: await throttleAt(options.bwlimit, context),
      toolVersion: context.version,
      emit: counting?.emit ?? emit,
    },
  });
  const summary = await done.finally(() => counting?.stop());
  if (context.args.flag('publish')) await (await import('./publish-snapshot.ts')).publishAfter(context, session, choice.repository);
  await tellOfHead(context, session, choice.repository, summary);
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
  choice: ImportChoice,
  options: RunOptions,
): Promise<Pick<Summary, 'problems'>> {
  const { planRun } = await import('../../update/dry-run.ts');
  const emit = (event: Event) => context.reporter.event(event);
  const { index, peers } = session;
  return await planRun({
    request: requestOf(context, session, choice, options),
    home: { index, peers, pending: context.home.pending },
    control: { ...controlOf(context, session), emit },
  });
}

function requestOf(context: Context, { config, index, peers }: PlanSession, choice: ImportChoice, options: RunOptions): ImportRequest {
  const known = index?.repository(choice.repository);
  const own = ownDemand(known, options);
  refuseOurs(context, config, choice.source);
  if (options.allocateBy !== undefined) checkPeersNamed(peers, options.allocateBy);
  return {
    ...choice,
    trust: options.trust,
    maxDelete: options.maxDelete,
    itemize: options.itemize,
    ownDemand: ownDemand(known, storageOptions(context.args.typed)),
    replication: own.replication ?? config.replication,
    allocateBy: own.allocateBy ?? config.allocateBy,
    shardBytes: options.shardBytes ?? config.shardSize,
    ...gateOf(context, config, known, choice, options),
  };
}

/**
 * `add` says what is to hold for the repository from now on; `update`, and the environment, say it for this run, so that an exception does
 * not become the rule.
 */
function gateOf(
  { args, absolute }: Context,
  config: Config,
  known: RepositoryRecord | undefined,
  { filters }: ImportChoice,
  { gate: told }: RunOptions,
): Pick<ImportRequest, 'gate' | 'ownGate'> {
  const kept = { ...known?.gate, ...(args.command.words === 'add' ? gateOptions(args.typed, absolute) : {}) };
  const ownGate = Object.keys(kept).length === 0 ? undefined : kept;
  return { gate: gateOrder({ ...known?.gate, ...told }, config, filters), ownGate };
}

type Control = Pick<IngestControl, 'secondThread' | 'signal' | 'now' | 'grace'>;

/** Whoever runs `add` stands by, and hears of a silent peer at once. */
function controlOf(context: Context, { config }: Pick<PlanSession, 'config'>): Control {
  const { args, secondThread, signal, now } = context;
  return { secondThread, signal, now, grace: graceOf(context, args.command.words === 'update' ? config : { grace: undefined }) };
}

export function exitCodeOf({ problems, gate, unreadableShards }: Pick<Summary, 'problems' | 'gate' | 'unreadableShards'>): number {
  if (unreadableShards !== undefined) return EXIT.damage;
  if (gate?.outcome === 'held') return EXIT.held;
  if (problems.unreadable > 0) return EXIT.unreadable;
  if (problems.vanished > 0 || problems.changed > 0) return EXIT.unstable;
  return EXIT.done;
}
