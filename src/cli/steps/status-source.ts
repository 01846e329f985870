/** What `serve` tells of a home beside what it serves. */
import { statSync } from 'node:fs';
import type { Config } from '../../home/config.ts';
import { runningRuns } from '../../home/runs/running.ts';
import type { StatusSource } from '../../serve/status/status-source.ts';
import type { Context } from '../command-line/context.ts';
import { systemProcesses } from '../session/process-table.ts';

/** @param config gives the settings as they were read last */
export function statusSource({ home, now, version }: Context, config: () => Config): StatusSource {
  const processes = systemProcesses();
  return {
    runs: home.runs,
    demand: config,
    running: () => runningRuns(home, processes, now()),
    // Each run that takes the lock makes and removes a file there, also one that finds nothing to do.
    lastLocked: () => statSync(home.locks, { throwIfNoEntry: false })?.mtimeMs,
    now,
    version,
  };
}
