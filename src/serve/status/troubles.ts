/** What an operator should do something about, the worst first. */
import { shellWord } from '../../core/display.ts';
import { EXIT } from '../../core/errors.ts';
import { escapeHtml } from '../paths/page.ts';
import type { HomeState } from './home-state.ts';
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
  for (const [command, { exitCode, ended }] of maintenance) {
    if (exitCode === EXIT.done || MILD.has(exitCode)) continue;
    const text = `<b>${command}</b> ended ${ago(Date.parse(ended), now)}: ${meaningOf(exitCode)}`;
    bad.push(command === 'verify' && exitCode === EXIT.damage ? `${text}; <code>shardctl repair</code>` : text);
  }
  return [...bad.map((text) => ({ level: 'bad' as const, text })), ...warn.map((text) => ({ level: 'warn' as const, text }))];
}
