/** What the index and the records of the last runs say of a home, as gauges. */
import { setImmediate as breathe } from 'node:timers/promises';
import type { Metric } from '../../core/model.ts';
import { type CountedPeers, hasLoss, isHeld, leastReplicas, type SnapshotRecord } from '../../core/model.ts';
import {
  failureOf,
  MAINTENANCE,
  type MaintenanceRecord,
  maintenanceRecord,
  type RunRecord,
  type UpdateRecord,
  updateRecords,
} from '../../home/runs/records.ts';
import type { Index } from '../../index/index.ts';
import { type Demand, Demands } from '../../storing/demand.ts';
import { freeTogether } from './free-together.ts';
import { GAUGES, type GaugeKey, type Readings } from './gauges.ts';

/** How many shards are looked up before others get their turn: about 5 ms. */
const SHARDS_AT_ONCE = 1000;

export interface FiguresOf {
  readonly index: Index;
  readonly peers: CountedPeers;
  /** What the home asks for. */
  readonly demand: Demand;
}

/** How the shards of a repository's newest snapshot stand, by the records. */
export interface ShardFigures {
  readonly shards: number;
  readonly underReplicated: number;
  readonly damaged: number;
}

/** By what this repository asks for: what others ask for the same shards is in the tables, which nothing else here opens. */
export async function shardFigures({ index, peers, demand }: FiguresOf, { repository, shards }: SnapshotRecord): Promise<ShardFigures> {
  const least = leastReplicas(new Demands(index, { home: demand }).of([repository]).replication, peers);
  let underReplicated = 0;
  let damaged = 0;
  for (const [at, number] of shards.entries()) {
    const shard = index.shard(number);
    if ((shard?.peers.length ?? 0) < least) underReplicated += 1;
    if (shard !== undefined && hasLoss(shard)) damaged += 1;
    if (at % SHARDS_AT_ONCE === SHARDS_AT_ONCE - 1) await breathe();
  }
  return { shards: shards.length, underReplicated, damaged };
}

export async function readRepository(readings: Readings, figures: FiguresOf, name: string): Promise<void> {
  const { index } = figures;
  const repository = index.repository(name);
  if (repository !== undefined) readings.add('heldBack', { repository: name }, heldBackIn(index, name));
  const head = repository === undefined ? undefined : index.snapshot(name, repository.head);
  if (head !== undefined) addHead(readings, head, await shardFigures(figures, head));
}

/** How many snapshots the gate holds back that are newer than the head. */
export function heldBackIn(index: Index, name: string): number {
  const { head = 0, held } = index.repository(name) ?? {};
  if (held === undefined) return 0;
  return index.snapshots(name).filter((snapshot) => snapshot.number > head && isHeld(snapshot)).length;
}

export function addHead(readings: Readings, { repository, counts, bytes, time }: SnapshotRecord, shards: ShardFigures): void {
  const labels = { repository };
  readings.add('files', labels, counts.files);
  readings.add('bytes', labels, bytes);
  readings.add('snapshot', labels, Date.parse(time) / 1000);
  readings.add('shards', labels, shards.shards);
  readings.add('underReplicated', labels, shards.underReplicated);
  readings.add('damaged', labels, shards.damaged);
}

/**
 * What the records say of a repository's last runs. When the last one ended is not among it: a run that has found nothing to do leaves no
 * record. @param runs directory of the records
 */
export function readLastRuns(readings: Readings, runs: string, repository: string): void {
  addLastRuns(readings, repository, updateRecords(runs, repository), failureOf(runs, repository));
}

/** @param changes runs that have made a snapshot, oldest first @param failure the last run, if it has failed */
export function addLastRuns(
  readings: Readings,
  repository: string,
  changes: readonly UpdateRecord[],
  failure: UpdateRecord | undefined,
): void {
  if (changes.length > 0 || failure !== undefined) readings.add('exitCode', { repository }, failure?.exitCode ?? 0);
  addLastChange(readings, repository, changes);
}

export function addLastChange(readings: Readings, repository: string, changes: readonly UpdateRecord[]): void {
  const last = changes.at(-1);
  readings.add('changeDuration', { repository }, last?.seconds);
  readings.add('changeEntries', { repository }, last?.changedEntries);
  readings.add('changeNewBytes', { repository }, last?.newBytes);
}

/** @param runs directory of the records */
export function readMaintenance(readings: Readings, runs: string): void {
  for (const command of MAINTENANCE) {
    const record = maintenanceRecord(runs, command);
    if (record !== undefined) addCommand(readings, command, record, record.figures);
  }
}

export function addCommand(
  readings: Readings,
  command: string,
  { ended, seconds, exitCode }: RunRecord,
  figures: MaintenanceRecord['figures'],
): void {
  readings.add('commandTimestamp', { command }, Date.parse(ended) / 1000);
  readings.add('commandDuration', { command }, seconds);
  readings.add('commandExitCode', { command }, exitCode);
  for (const [key, value] of Object.entries(figures)) {
    if (isFigureOf(command, key) && typeof value === 'number') readings.add(key, {}, value);
  }
}

function isFigureOf(command: string, key: string): key is GaugeKey {
  return key.startsWith(command) && key in GAUGES;
}

/** A peer as it is known; without `metric` when it has not answered. */
export interface PeerFigures {
  readonly name: string;
  readonly kind: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly shards: number;
  readonly drained: boolean;
  readonly metric: Pick<Metric, 'usedBytes' | 'freeBytes' | 'disk'> | undefined;
}

export function addPeers(readings: Readings, peers: readonly PeerFigures[]): void {
  for (const peer of peers) addPeer(readings, peer);
  if (peers.some(({ metric }) => metric !== undefined)) readings.add('free', {}, freeTogether(peers.map(({ metric }) => metric)).bytes);
}

function addPeer(readings: Readings, { name, kind, tags, shards, drained, metric }: PeerFigures): void {
  const labels = { peer: name };
  readings.add('peerAnswers', labels, metric === undefined ? 0 : 1);
  readings.add('peerUsed', labels, metric?.usedBytes);
  readings.add('peerFree', labels, metric?.freeBytes);
  readings.add('peerShards', labels, shards);
  readings.add('peerDrained', labels, drained ? 1 : 0);
  readings.add('peerInfo', { peer: name, kind, zone: tags.zone ?? '' }, 1);
}
