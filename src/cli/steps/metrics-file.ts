/** `--metrics-file`: what a run came to, for the textfile collector of Prometheus' node_exporter. Written also when it failed. */
import { reasonOf, ShardctlError } from '../../core/errors.ts';
import { replaceFileSync } from '../../core/fresh-file.ts';
import { updateRecords } from '../../home/runs/records.ts';
import { Readings } from '../../maintain/figures/gauges.ts';
import { addLastChange, addPeers, readLastRuns, readMaintenance, readRepository } from '../../maintain/figures/home-readings.ts';
import type { Context } from '../command-line/context.ts';
import type { Result } from '../results/results.ts';
import { asUser } from '../session/privacy.ts';
import { reading, type Session } from '../session/session.ts';
import type { PeerStatus } from './peer-status.ts';
import type { LoggedRun } from './run-records.ts';

/** The runs of `add` and `update`, and what the index says of these repositories. */
export async function writeRuns(context: Context, path: string, runs: ReadonlyMap<string, LoggedRun>): Promise<void> {
  const readings = new Readings();
  for (const [repository, { began, ended = began, exitCode, summary }] of runs) {
    readings.add('timestamp', { repository }, ended / 1000);
    readings.add('duration', { repository }, (ended - began) / 1000);
    readings.add('exitCode', { repository }, exitCode);
    readings.add('changed', { repository }, summary?.changedEntries);
    readings.add('newBytes', { repository }, summary?.newBytes);
    addLastChange(readings, repository, updateRecords(context.home.runs, repository));
  }
  try {
    await reading(context, async ({ config, index, peers }) => {
      for (const repository of runs.keys()) await readRepository(readings, { index, peers, demand: config }, repository);
    });
  } catch (error) {
    // A home that cannot be read has nothing to add.
    if (!(error instanceof ShardctlError)) throw error;
  }
  writeReadings(context, path, readings);
}

/** All that is known of the home: every repository, with its last run, every peer, and how the replicas stand by the word of the peers. */
export async function writeStatus(
  context: Context,
  path: string,
  { config, index, peers }: Session,
  { peers: statuses, total }: { readonly peers: readonly PeerStatus[]; readonly total: Extract<Result, { type: 'replication' }> },
): Promise<void> {
  const readings = new Readings();
  const { runs } = context.home;
  for (const { name } of index.repositories()) {
    await readRepository(readings, { index, peers, demand: config }, name);
    readLastRuns(readings, runs, name);
  }
  addPeers(
    readings,
    statuses.map(({ usedBytes, freeBytes, disk, ...peer }) => ({
      ...peer,
      metric:
        usedBytes === undefined || freeBytes === undefined ? undefined : { usedBytes, freeBytes, ...(disk === undefined ? {} : { disk }) },
    })),
  );
  readMaintenance(readings, runs);
  readings.add('shardsAtRisk', {}, total.atRisk);
  readings.add('shardsLost', {}, total.lost);
  readings.add('shardsSilent', {}, total.away);
  writeReadings(context, path, readings);
}

/** Warns when it cannot be written: the run has done its work. */
export function writeReadings(context: Context, path: string, readings: Readings): void {
  try {
    // In one move, as the collector must never see half a file. Not flushed: after a power cut the next run writes it again.
    asUser(context, () => replaceFileSync(path, readings.text(), false));
  } catch (error) {
    context.reporter.event({ type: 'warning', message: `no metrics in ${context.args.text('metrics-file')}: ${reasonOf(error)}` });
  }
}
