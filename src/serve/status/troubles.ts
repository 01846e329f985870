/** What an operator should do something about, the worst first. */
import { shellWord } from '../../core/display.ts';
import { EXIT } from '../../core/errors.ts';
import { escapeHtml } from '../paths/page.ts';
import type { HomeState, MaintenanceState } from './home-state.ts';
import { ago, count, safe } from './html.ts';

export interface Trouble {
  readonly level: 'warn' | 'bad';
  /** HTML. */
  readonly text: string;
}

/** What an exit code means, in a few words. */
const MEANING: Readonly<Record<number, string>> = {
  [EXIT.bug]: 'an error of its own, or of its disk',
  [EXIT.unreadable]: 'some entries could not be read',
  [EXIT.unstable]: 'some entries kept changing',
  [EXIT.maxDelete]: 'more would be deleted than --max-delete allows',
  [EXIT.notFound]: 'its source is not there',
  [EXIT.tooFewPeers]: 'too few peers can be reached',
  [EXIT.noSpace]: 'too little space',
  [EXIT.damage]: 'damage was found',
  [EXIT.newerFormat]: 'something was written by a newer shardctl',
  [EXIT.interrupted]: 'it was interrupted',
  [EXIT.terminated]: 'it was terminated',
};

export function meaningOf(exitCode: number): string {
  return `${MEANING[exitCode] ?? 'it failed'} (${exitCode})`;
}

/** Such codes come with a snapshot that was committed, or from a person: nothing is lost. */
const MILD: ReadonlySet<number> = new Set([EXIT.unreadable, EXIT.unstable, EXIT.interrupted, EXIT.terminated]);

/**
 * What has become of what a run has found. `repair` asks all peers for all that `verify` looks at, so one that ended well has settled
 * it; only bytes that `verify` has read back it may not have read: then `verify` must look again.
 */
export type Finding = 'stands' | 'settled' | 'doubtful';

export function findingOf([command, { ended, exitCode, figures }]: MaintenanceState, all: readonly MaintenanceState[]): Finding {
  if (command !== 'verify' || (exitCode !== EXIT.damage && exitCode !== EXIT.tooFewPeers)) return 'stands';
  const isRepaired = all.some(
    ([other, repair]) => other === 'repair' && repair.exitCode === EXIT.done && Date.parse(repair.ended) > Date.parse(ended),
  );
  if (!isRepaired) return 'stands';
  return exitCode === EXIT.damage && (figures.verifyReadBytes ?? 0) > 0 ? 'doubtful' : 'settled';
}

/** @param now milliseconds since 1970 */
export function troublesOf({ repositories, peers, maintenance, isReadable }: HomeState, now: number): Trouble[] {
  const bad: string[] = [];
  const warn: string[] = [];
  if (isReadable === false) bad.push('<b>Blocks cannot be read</b> from any peer that should have them.');
  // First, because updates fail for want of them.
  for (const { name, error } of peers)
    if (error !== undefined) bad.push(`<b>Peer ${safe(name)}</b> does not answer; <code>shardctl status</code> says why`);
  for (const { name, figures, failure } of repositories) {
    const { damaged, underReplicated, shards } = figures;
    if (damaged > 0)
      bad.push(
        `<b>${safe(name)}</b> ${count(damaged, 'shard')} of ${shards} with lost blocks: <code>shardctl add</code> the source again, then <code>shardctl repair</code>`,
      );
    if (underReplicated > 0)
      warn.push(
        `<b>${safe(name)}</b> ${count(underReplicated, 'shard')} of ${shards} on fewer peers than asked for: <code>shardctl repair</code>`,
      );
    if (failure !== undefined) {
      const text = `<b>${safe(name)}</b> the last update failed ${ago(Date.parse(failure.ended), now)}: ${meaningOf(failure.exitCode)}; <code>shardctl update ${escapeHtml(shellWord(name))}</code>`;
      (MILD.has(failure.exitCode) ? warn : bad).push(text);
    }
  }
  for (const run of maintenance) {
    const [command, { exitCode, ended, figures }] = run;
    const finding = findingOf(run, maintenance);
    if (exitCode === EXIT.done || MILD.has(exitCode) || finding === 'settled') continue;
    const text = `<b>${command}</b> ended ${ago(Date.parse(ended), now)}: ${meaningOf(exitCode)}`;
    const option = (figures.verifyReadBytes ?? 0) > 0 ? ' --read-data' : '';
    if (finding === 'doubtful') warn.push(`${text}; repair has ended well since: <code>shardctl verify${option}</code> looks again`);
    else bad.push(command === 'verify' && exitCode === EXIT.damage ? `${text}; <code>shardctl repair${option}</code>` : text);
  }
  return [...bad.map((text) => ({ level: 'bad' as const, text })), ...warn.map((text) => ({ level: 'warn' as const, text }))];
}
