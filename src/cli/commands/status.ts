/** `shardctl status`: repositories with their heads, how the replicas stand by the word of the peers, and how full those are. */

import { statSync } from 'node:fs';
import { displayPath, displayText } from '../../core/display.ts';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import type { SnapshotRecord } from '../../core/model.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { replicasHeld, type ShardStatus, shardStatuses } from '../../maintain/shard-status.ts';
import { byRisk } from '../../maintain/stand.ts';
import { Demands } from '../../storing/demand.ts';
import type { Context } from '../command-line/context.ts';
import { replicationOf } from '../command-line/quantities.ts';
import { folded } from '../reporter/folded.ts';
import { counted } from '../reporter/text.ts';
import { addedUp, type Replication } from '../results/replication-result.ts';
import { answer, type Result } from '../results/results.ts';
import { replicaCounts, snapshotResult } from '../results/snapshot-result.ts';
import { table } from '../results/table.ts';
import { reading } from '../session/session.ts';
import { tellOpenPlaces } from '../session/settings.ts';
import { gateLines } from '../steps/gate-lines.ts';
import { writeStatus } from '../steps/metrics-file.ts';
import { peerStatuses, peerTable } from '../steps/peer-status.ts';
import { metricsPath } from '../steps/run-log.ts';
import { runningLines, runningNow } from '../steps/running-now.ts';

type Repository = Extract<Result, { type: 'repository' }>;

export async function run(context: Context): Promise<number> {
  const replication = replicationOf(context.args);
  const metrics = metricsPath(context);
  const [onlyAtRisk, onPeer] = [context.args.flag('at-risk'), context.args.text('peer')];
  return await reading(context, async (session) => {
    const { config, index } = session;
    const replicasOf = replicaCounts(index);
    const heads: SnapshotRecord[] = [];
    const repositories = index.repositories().map(({ name, source, head, held = 0 }): Repository => {
      const [shown, newest] = [head, held].map((number) => index.snapshot(name, number));
      if (shown !== undefined) heads.push(shown);
      return {
        type: 'repository',
        name,
        source: displayPath(source),
        snapshots: index.snapshots(name).length,
        // How many peers hold it is asked of them, below.
        head: shown === undefined ? null : snapshotResult(shown, index, () => 0),
        ...(newest === undefined ? {} : { newest: snapshotResult(newest, index, replicasOf) }),
      };
    });
    if (onPeer !== undefined && !session.peers.has(onPeer)) throw unknownPeer(onPeer, [...session.peers.keys()]);
    if (context.args.flag('root-only') && !context.json) {
      for (const { head } of repositories) if (head !== null) context.output.line(head.tree);
      return EXIT.done;
    }
    const [peers, statuses] = await Promise.all([
      peerStatuses(context, session),
      shardStatuses(index, session.peers, new Demands(index, { home: config, told: { replication } })),
    ]);
    const { total, fewest } = addedUp(statuses, heads);
    if (onlyAtRisk) {
      if (metrics !== undefined) await writeStatus(context, metrics, session, { peers, total });
      return atRiskOf(
        context,
        chosenOf(statuses, (shard) => isOn(shard, onPeer) && replicasHeld(shard) < shard.least),
      );
    }
    const isListed = context.args.flag('shards') || onPeer !== undefined;
    const shards = isListed ? chosenOf(statuses, (shard) => isOn(shard, onPeer)).map(resultOf) : [];
    const shown = peers.filter(({ name }) => onPeer === undefined || name === onPeer);
    const running = runningNow(context);
    const told = repositories.map((repository) => asHeld(repository, fewest));
    const followed = told.length === 0 ? await followedLines(context) : [];
    if (metrics !== undefined) await writeStatus(context, metrics, session, { peers, total });
    const { columns } = context.output;
    answer(context, [...told, total, ...shards, ...shown, ...running], () => [
      ...runningLines(running, context.now()),
      ...(followed.length > 0 ? followed : repositoryTable(told, columns)),
      ...gateLines(told, session),
      '',
      ...(shards.length > 0 ? [...shardTable(shards, columns), ''] : []),
      ...riskLines(total),
      ...damageLines(total),
      '',
      ...peerTable(shown, { isLong: false, columns }),
    ]);
    tellOpenPlaces(context, config);
    return EXIT.done;
  });
}

/** As many shards at risk are listed for people; programs get all of them. */
const MOST_AT_RISK = 100;

/** Prints only what is at risk, worst first, so that a quiet run of a home where nothing is says nothing. @returns the exit code */
function atRiskOf(context: Context, statuses: readonly ShardStatus[]): number {
  const shards = statuses.toSorted(byRisk).map(resultOf);
  const more = shards.length - MOST_AT_RISK;
  if (shards.length > 0 || !context.quiet)
    answer(context, shards, () =>
      shards.length === 0
        ? ['no shard is on fewer peers than asked for']
        : [
            ...shardTable(shards.slice(0, MOST_AT_RISK), context.output.columns),
            ...(more > 0 ? [`and ${counted(more, 'more shard')}; --json lists all`] : []),
          ],
    );
  return shards.length === 0 ? EXIT.done : EXIT.atRisk;
}

function chosenOf(statuses: Iterable<ShardStatus>, isChosen: (shard: ShardStatus) => boolean): ShardStatus[] {
  const chosen: ShardStatus[] = [];
  for (const shard of statuses) if (isChosen(shard)) chosen.push(shard);
  return chosen;
}

/** Whether the peer should hold the shard; each shard where no peer is named. */
function isOn({ replicas }: ShardStatus, name: string | undefined): boolean {
  return name === undefined || replicas.some(({ peer }) => peer === name);
}

function unknownPeer(name: string, all: readonly string[]): ShardctlError {
  return new ShardctlError('NOT_FOUND', `no peer "${displayText(name)}"`, { hint: `there is ${all.join(', ') || 'none yet'}` });
}

function asHeld({ head, ...repository }: Repository, fewest: ReadonlyMap<string, number>): Repository {
  return { ...repository, head: head && { ...head, replicas: fewest.get(repository.name) ?? 0 } };
}

function resultOf(shard: ShardStatus): Extract<Result, { type: 'shard-status' }> {
  const { shards, label, cid, bytes, replicas, least, lost } = shard;
  return {
    type: 'shard-status',
    shard: shards[0] ?? null,
    label,
    cid,
    bytes,
    held: replicasHeld(shard),
    least,
    replicas,
    ...(lost === undefined ? {} : { lost }),
  };
}

function shardTable(shards: readonly Extract<Result, { type: 'shard-status' }>[], columns: number | undefined): string[] {
  const rows = shards.map(({ label, cid, bytes, held, least, replicas }) => [
    label,
    formatSize(bytes),
    `${held}/${least}`,
    replicaText(replicas, columns),
    cid,
  ]);
  return table([['SHARD', 'SIZE', 'REPLICAS', 'PEERS', 'CID'], ...rows], 'lrrll', columns);
}

/** As many peers of a shard are named on a terminal. */
const MOST_NAMED = 2;

/** Those that are not as they should be come first where not all are named. */
function replicaText(replicas: Extract<Result, { type: 'shard-status' }>['replicas'], columns: number | undefined): string {
  const isHeld = ({ state }: (typeof replicas)[number]) => state === 'held';
  const worstFirst = replicas.toSorted((a, b) => Number(isHeld(a)) - Number(isHeld(b)));
  const { shown, more } = folded(columns === undefined ? replicas : worstFirst, MOST_NAMED, columns);
  const names = shown.map((replica) => (isHeld(replica) ? replica.peer : `${replica.peer} (${replica.state})`)).join(', ') || '-';
  return more === 0 ? names : `${names} +${more} more`;
}

function damageLines({ damaged }: Replication): string[] {
  if (damaged === 0) return [];
  return [
    `damaged: ${counted(damaged, 'shard')}, of which no whole copy was found when last read; the rest can be read: \`shardctl add\` the source again, then \`shardctl repair\``,
  ];
}

function riskLines({ least, shards, bytes, atRisk, atRiskBytes, lost, lostBytes, away, awayBytes }: Replication): string[] {
  if (shards === 0) return [];
  const all = `${counted(shards, 'shard')} with the catalogues, ${formatSize(bytes)}`;
  if (atRisk === 0) return [`${all}: each on ${least} or more peers`];
  const ofThese = [
    ...(lost === 0 ? [] : [`${counted(lost, 'shard')}, ${formatSize(lostBytes)}, on none`]),
    ...(away === 0 ? [] : [`${counted(away, 'shard')}, ${formatSize(awayBytes)}, on none that answers: bring these peers back`]),
  ];
  const none = ofThese.length === 0 ? '' : `, of these ${ofThese.join(', and ')}`;
  const help = away === atRisk ? '' : `${away === 0 ? ': ' : '; for the others '}\`shardctl repair\``;
  return [`${all}; at risk: ${counted(atRisk, 'shard')}, ${formatSize(atRiskBytes)}, on fewer peers than are asked for${none}${help}`];
}

/** What a follower holds a part of; nothing in another home. */
async function followedLines({ home }: Context): Promise<string[]> {
  const noted = statSync(home.follow, { throwIfNoEntry: false })?.mtime;
  if (noted === undefined) return [];
  const { readState } = await import('../../follow/state.ts');
  const state = readState(home.follow);
  if (state === undefined) return [];
  const { repository, source, snapshot, time } = state;
  return [
    `this home follows ${displayText(repository)}${source === undefined ? '' : ` of ${displayText(source)}`}, and holds a part of it`,
    `snapshot ${displayText(snapshot)} of ${displayText(time)}; noted at ${noted.toISOString()}`,
  ];
}

function repositoryTable(repositories: readonly Repository[], columns: number | undefined): string[] {
  if (repositories.length === 0) return ['no repositories yet: `shardctl add DIR` makes the first'];
  const head = ['REPOSITORY', 'HEAD', 'TIME', 'FILES', 'SIZE', 'SHARDS', 'REPLICAS', 'SOURCE'];
  const rows = repositories.map(({ name, source, head: snapshot }) =>
    snapshot === null
      ? [name, '-', '-', '-', '-', '-', '-', source]
      : [
          name,
          `@${snapshot.number}`,
          snapshot.time,
          formatCount(snapshot.files),
          formatSize(snapshot.bytes),
          formatCount(snapshot.shards),
          String(snapshot.replicas),
          source,
        ],
  );
  const roots = repositories.flatMap(({ name, head: snapshot }) => (snapshot === null ? [] : [[name, snapshot.tree]]));
  return [...table([head, ...rows], 'lllrrrrl', columns), '', ...table([['REPOSITORY', 'ROOT'], ...roots], 'll')];
}
