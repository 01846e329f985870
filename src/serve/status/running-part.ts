/** What is running now, as a part of the status page; sent again by events as it changes. */
import type { RunningRun } from '../../home/runs/running.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { bar, count, safe, span } from './html.ts';

/** A run as a page shows it: nothing of its command line but what everybody may see. */
export interface ShownRun {
  readonly run: RunningRun;
  /** Files of the repository's newest snapshot: how many there may be, before the source was listed to its end. */
  readonly expectedFiles: number | undefined;
}

/** @param now milliseconds since 1970 */
export function runningPart(runs: readonly ShownRun[], now: number): string {
  if (runs.length === 0) return '';
  return `<h2>Running now</h2>${runs.map((run) => card(run, now)).join('')}`;
}

function card({ run, expectedFiles }: ShownRun, now: number): string {
  const { state, at } = run;
  const seconds = Math.max(0, (now - Date.parse(at)) / 1000);
  const title = `${safe(wordsOf(run))}${state?.repository === undefined ? '' : ` <b>${safe(state.repository)}</b>`}`;
  const since = Number.isNaN(seconds) ? '' : `<span class="small dim">for ${span(seconds)}</span>`;
  const facts = state === undefined ? ['<span>has just begun</span>'] : factsOf(state);
  const part = partOf(run, expectedFiles);
  const label = part === undefined ? 'under way' : `${Math.round(part * 100)} % done`;
  return `<section class="card run"><div class="top"><h3>${title}</h3>${since}</div>${bar(part, label)}<p class="meta dot-sep">${facts.join('')}</p></section>`;
}

/** The command without its arguments: they may be paths of the server, or names that are private. */
function wordsOf({ command, state }: RunningRun): string {
  return state?.words ?? command.replace(/^shardctl /, '').split(' ', 1)[0] ?? '';
}

function partOf({ state }: RunningRun, expectedFiles: number | undefined): number | undefined {
  if (state === undefined) return undefined;
  const { scanned, imported, placedBytes, step } = state;
  if (step !== undefined && step.total > 0) return step.done / step.total;
  if (scanned === undefined || imported === undefined) return undefined;
  // A large file counts as imported at its end; until then its shards tell how far it is.
  if (scanned.done) return scanned.bytes === 0 ? 1 : Math.max(imported.bytes, Math.min(placedBytes, scanned.bytes)) / scanned.bytes;
  return expectedFiles === undefined || expectedFiles === 0 ? undefined : Math.min(0.99, imported.files / expectedFiles);
}

function factsOf({ scanned, imported, sealed, placed, placedBytes, step, problems }: NonNullable<RunningRun['state']>): string[] {
  const more = scanned?.done === false ? '+' : '';
  const facts = [
    ...(scanned === undefined || imported === undefined
      ? []
      : [
          `<b>${formatCount(imported.files)}</b> of ${formatCount(Math.max(scanned.files, imported.files))}${more} files`,
          `${formatSize(imported.bytes)} of ${formatSize(Math.max(scanned.bytes, imported.bytes))}${more}`,
        ]),
    ...(sealed === 0 ? [] : [`${formatCount(placed)} of ${count(sealed, 'shard')} placed, ${formatSize(placedBytes)}`]),
    ...(step === undefined
      ? []
      : [`${safe(step.label)}: <b>${formatCount(step.done)}</b>${step.total > 0 ? ` of ${formatCount(step.total)}` : ''}`]),
    ...(problems === 0 ? [] : [count(problems, 'problem')]),
  ];
  return (facts.length === 0 ? ['under way'] : facts).map((fact) => `<span>${fact}</span>`);
}
