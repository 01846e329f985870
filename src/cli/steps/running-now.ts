/** The runs of this home that go on now, for `status`. */
import { displayText } from '../../core/display.ts';
import { type RunState, runningRuns } from '../../home/runs/running.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import type { Context } from '../command-line/context.ts';
import { formatSeconds } from '../reporter/text.ts';
import type { Result } from '../results/results.ts';
import { systemProcesses } from '../session/process-table.ts';

type Running = Extract<Result, { type: 'running' }>;

export function runningNow({ home, now }: Context): Running[] {
  return runningRuns(home, systemProcesses(), now()).map(({ command, pid, host, at, state }) => ({
    type: 'running',
    command,
    pid,
    host,
    since: at,
    ...(state === undefined ? {} : { state }),
  }));
}

export function runningLines(running: readonly Running[], now: number): string[] {
  if (running.length === 0) return [];
  return [
    ...running.map(({ command, pid, since, state }) => {
      const seconds = Math.max(0, (now - Date.parse(since)) / 1000);
      const done = state === undefined ? [] : progressWords(state);
      return `running: ${[displayText(command), `pid ${pid}`, `for ${formatSeconds(seconds)}`, ...done].join(', ')}`;
    }),
    '',
  ];
}

/** How far a run is, in the words of its progress lines. */
function progressWords({ words, repository, scanned, imported, placed, sealed, step, problems }: RunState): string[] {
  const all = scanned?.done === false ? '+' : '';
  return [
    ...(repository === undefined || words === 'add' ? [] : [`at ${repository}`]),
    ...(scanned === undefined || imported === undefined
      ? []
      : [
          `${formatCount(imported.files)}/${formatCount(scanned.files)}${all} files`,
          `${formatSize(imported.bytes)}/${formatSize(scanned.bytes)}${all}`,
        ]),
    ...(sealed === 0 ? [] : [`${formatCount(placed)} of ${formatCount(sealed)} shards placed`]),
    ...(step === undefined ? [] : [`${step.label}: ${step.done}${step.total > 0 ? `/${step.total}` : ''}`]),
    ...(problems === 0 ? [] : [`problems: ${problems}`]),
  ];
}
