/** What `verify`, `repair` and `prune` come to: kept in the home, and written where `--metrics-file` says. */
import { existsSync } from 'node:fs';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import { type MaintenanceCommand, type MaintenanceRecord, recordMaintenance } from '../../home/runs/records.ts';
import { type GaugeKey, Readings } from '../../maintain/figures/gauges.ts';
import { addCommand } from '../../maintain/figures/home-readings.ts';
import type { Context } from '../command-line/context.ts';
import { writeReadings } from './metrics-file.ts';
import { metricsPath } from './run-log.ts';

/** What a run counts, filled as it goes. */
export type Figures = { [Key in Extract<GaugeKey, `${MaintenanceCommand}${string}`>]?: number };

/**
 * Runs `work`, and keeps and writes what it came to, also when it failed.
 * @param isWhole false for a run that looks at a part of the home only: it says nothing of the rest, and is not kept
 */
export async function withFigures(
  context: Context,
  command: MaintenanceCommand,
  isWhole: boolean,
  work: (figures: Figures) => Promise<number>,
): Promise<number> {
  const { args, home, now } = context;
  const figures: Figures = {};
  const metrics = metricsPath(context);
  if (args.flag('dry-run')) return await work(figures);
  const began = now();
  let code: number = EXIT.bug;
  try {
    code = await work(figures);
    return code;
  } catch (error) {
    if (error instanceof ShardctlError) code = error.exitCode;
    throw error;
  } finally {
    const ended = now();
    const record: MaintenanceRecord = { ended: new Date(ended).toISOString(), seconds: (ended - began) / 1000, exitCode: code, figures };
    // That another run had the lock, or that the command was wrong, says nothing of the home.
    if (isWhole && code !== EXIT.locked && code !== EXIT.usage && existsSync(home.config)) recordMaintenance(home.runs, command, record);
    if (metrics !== undefined) {
      const readings = new Readings();
      addCommand(readings, command, record, figures as MaintenanceRecord['figures']);
      writeReadings(context, metrics, readings);
    }
  }
}
