/** Events as sentences, the same for every reporter that speaks to people. */

import { listed, shellWord } from '../../core/display.ts';
import type { Change, Event, Plan, Problems, Summary } from '../../core/events.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { folded, MOST_LINES } from './folded.ts';
import type { Output } from './output.ts';
import type { ExitError } from './reporter.ts';

export const PROBLEMS = {
  unreadable: 'cannot read',
  vanished: 'vanished',
  changed: 'kept changing',
  special: 'skipped',
} as const;

/** What a user should be told of at once; undefined for events that are mere progress. */
export function problemLine(event: Event): string | undefined {
  switch (event.type) {
    case 'entry':
      return `${PROBLEMS[event.problem]}: ${event.path}: ${event.detail}${event.kept ? ' (the version of the last snapshot stays)' : ''}`;
    case 'warning':
      return `warning: ${event.message}${event.hint === undefined ? '' : `; ${event.hint}`}`;
    case 'not-restored':
      return `not restored: ${event.path}: ${event.detail}`;
    case 'unread':
      return `not read: ${event.path}: ${event.detail}`;
    case 'damage':
      // A replica that is missing is so on each of the peers that could have it.
      return `damage: ${event.what} on ${listed(event.where.split(', '))}: ${event.detail}`;
    case 'too-few':
      return `too few replicas: ${event.what} on ${event.where === '' ? 'no peer' : listed(event.where.split(', '))}`;
    case 'no-answer':
      return `no answer: peer ${event.peer}${event.shards === undefined ? '' : `, ${counted(event.shards, 'shard')}`}: ${event.detail}`;
    case 'back':
      return `peer ${event.peer} answers again, after ${event.since}`;
    case 'mended':
      return `mended: ${event.what} on ${event.where}`;
    case 'step-failed':
      return errorLine({ ...event, message: `${event.step}: ${event.message}` });
    case 'at-risk':
      return `at risk: ${counted(event.shards, 'shard')}, ${formatSize(event.bytes)}, on fewer peers than asked for; \`shardctl status --at-risk\` lists them`;
    case 'contradiction':
      // Without a path it is about the whole tree: an index of a kind that was asked for is nowhere in it.
      return `contradiction in ${event.repository}@${event.number}: ${event.path === '' ? '' : `${event.path}: `}${event.detail}${event.index === event.path ? '' : `, by ${event.index}`}`;
    case 'gate':
      return gateLine(event);
    case 'not-watching':
      return `warning: ${event.repository}: ${event.reason}; ${event.hint}`;
    case 'failed':
      return errorLine({ ...event, message: `${event.repository}: ${event.message}` });
    default:
      return undefined;
  }
}

function gateLine({ repository, number, outcome, head, count, told, asBefore, time }: Extract<Event, { type: 'gate' }>): string {
  const name = `${repository}@${number}`;
  const found = `${counted(count, 'contradiction')}${told > 0 && told < count ? ` (${formatCount(count - told)} more than are named)` : ''}${asBefore > 0 ? `, beside ${formatCount(asBefore)} as before` : ''}`;
  if (outcome === 'warned') return `warning: ${name} is the head, although its indexes contradict its files: ${found}`;
  const still = told === 0 ? `still, since ${time}` : 'by the gate';
  const shown = head === null ? 'there is no head yet' : `the head stays ${repository}@${head}`;
  return `held back ${still}: ${name}, with ${found}; ${shown}; \`shardctl accept ${shellWord(name)}\` makes it the head all the same`;
}

/** So many replicas that were mended on a peer are named: a disk that comes back may have thousands. */
const MOST_MENDED = 10;

/**
 * As `problemLine`, of one run after the other: the cause of several warnings, a peer that does not answer, is told with the first; and of
 * what was mended only a part is named.
 */
export class ProblemLines {
  readonly #namesAll: boolean;
  readonly #told = new Set<string>();
  readonly #mended = new Map<string, number>();

  constructor({ namesAll }: { readonly namesAll: boolean }) {
    this.#namesAll = namesAll;
  }

  of(event: Event): string | undefined {
    if (event.type === 'mended' && !this.#namesAll) {
      const count = (this.#mended.get(event.where) ?? 0) + 1;
      this.#mended.set(event.where, count);
      return count > MOST_MENDED ? undefined : problemLine(event);
    }
    if (event.type !== 'warning' || event.cause === undefined) return problemLine(event);
    const { message, cause } = event;
    const isTold = this.#told.has(cause);
    this.#told.add(cause);
    return problemLine(
      isTold && message.endsWith(`: ${cause}`) ? { ...event, message: `${message.slice(0, -cause.length - 2)}, as before` } : event,
    );
  }

  /** At the end of the run: how much was not named. */
  rest(): string[] {
    return [...this.#mended].flatMap(([where, count]) =>
      count > MOST_MENDED ? [`mended: and ${formatCount(count - MOST_MENDED)} more on ${where}`] : [],
    );
  }
}

/** What was wrong, where, and what to do, in one line whatever the message holds. */
export function errorLine(error: ExitError): string {
  return `shardctl: ${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}`.replaceAll('\n', ' ');
}

export function shardLine(event: Event): string | undefined {
  if (event.type === 'sealed')
    return `shard ${event.shard} sealed: ${event.cid}, ${formatSize(event.bytes)} in ${counted(event.blocks, 'block')}`;
  if (event.type === 'placed') return `shard ${event.shard} placed on ${event.peers.join(', ')}`;
  if (event.type === 'moved') return movedLine(event);
  if (event.type === 'retry') return `peer ${event.peer} is tried again in ${event.seconds} s with ${event.what}: ${event.reason}`;
  return undefined;
}

function movedLine({ what, from, to }: Extract<Event, { type: 'moved' }>): string {
  if (to === undefined) return `${what} is on enough peers without ${from}`;
  return from === undefined ? `${what} copied to ${to}` : `${what} moved from ${from} to ${to}`;
}

/** What belongs on stdout of an event: results, not progress. */
export function showResult(event: Event, output: Output): void {
  if (event.type === 'change') output.entry(changeLine(event));
  else for (const line of resultLines(event, output.columns)) output.line(line);
}

function resultLines(event: Event, columns: number | undefined): string[] {
  switch (event.type) {
    case 'plan':
      return planLines(event, columns);
    case 'raised':
      return [`more replicas: ${formatCount(event.replicas)} of what was stored before, ${formatSize(event.bytes)}`];
    case 'waiting':
      return [waitingLine(event)];
    case 'passed-over':
      return [`${event.repository}: passed over, ${event.reason}`];
    case 'watching':
      return [`${event.repository}: ${counted(event.directories, 'directory')} watched`];
    case 'updated':
      return event.againSeconds === null ? [] : [`${event.repository} is tried again in ${formatCount(event.againSeconds)} s`];
    case 'links-kept':
      return [linksLine(event)];
    case 'summary':
      return summaryLines(event, columns);
    default:
      return [];
  }
}

function waitingLine({ peer, until, detail, replicas }: Extract<Event, { type: 'waiting' }>): string {
  const fewer =
    replicas === undefined
      ? ''
      : `; until then ${counted(replicas.made, 'replica')} of ${replicas.asked} ${replicas.made === 1 ? 'is' : 'are'} made`;
  return `peer ${peer} does not answer, and is waited for until ${until}: ${detail}${fewer}`;
}

const KEPT_LINKS = {
  outside: 'out of the source',
  nowhere: 'to nothing that can be stored',
  round: 'back to where they are',
} as const;

function linksLine({ counts, first }: Extract<Event, { type: 'links-kept' }>): string {
  const kinds = (['outside', 'nowhere', 'round'] as const).filter((why) => counts[why] > 0);
  const where = kinds.map((why) => `${formatCount(counts[why])} ${KEPT_LINKS[why]} (first ${first[why]})`);
  return `symlinks that stay symlinks: they lead ${where.join(', ')}`;
}

/** As rsync writes it. */
function changeLine({ itemize, path, kind }: Change): string {
  return `${itemize.padEnd(11)} ${path}${kind === 'directory' ? '/' : ''}`;
}

function planLines(plan: Plan, columns: number | undefined): string[] {
  const lines = [
    `${plan.repository}: a dry run, nothing was changed`,
    row('holds', counted(plan.entries, 'entry')),
    row(
      'changes',
      `${formatCount(plan.newEntries)} new, ${formatCount(plan.changedEntries)} changed, ${formatCount(plan.metadataEntries)} in mode or time, ${formatCount(plan.deletedEntries)} deleted`,
    ),
    row('to read', `${counted(plan.readFiles, 'file')}, ${formatSize(plan.readBytes)}, at most ${counted(plan.newShards, 'new shard')}`),
    ...(plan.resumedFiles === 0 ? [] : [row('resumed', `${counted(plan.resumedFiles, 'file')} that an interrupted run has imported`)]),
  ];
  const left = leftOut(plan.problems);
  if (left.length > 0) lines.push(row('left out', left.join(', ')));
  lines.push(
    ...peerRows(
      plan.peers,
      columns,
      ({ name, freeBefore, freeAfter }) => `${name}: free ${formatSize(freeBefore)} → ${formatSize(freeAfter)}`,
    ),
  );
  if (plan.peers.length > 0)
    lines.push(row('fits', plan.lackingBytes === 0 ? 'yes' : `no: there is no room for ${formatSize(plan.lackingBytes)}`));
  return lines;
}

function peerRows<T>(peers: readonly T[], columns: number | undefined, text: (peer: T) => string): string[] {
  const { shown, more } = folded(peers, MOST_LINES, columns);
  return [...shown.map((peer) => row('peer', text(peer))), ...(more === 0 ? [] : [row('peer', `+${more} more; --wide shows all`)])];
}

function leftOut(problems: Problems): string[] {
  return [
    { count: problems.unreadable, what: 'unreadable' },
    { count: problems.vanished, what: 'vanished' },
    { count: problems.changed, what: 'kept changing' },
    { count: problems.special, what: 'not a file, directory or symlink' },
  ].flatMap(({ count, what }) => (count === 0 ? [] : [`${formatCount(count)} ${what}`]));
}

/** The final word of `add`. */
function summaryLines(summary: Summary, columns: number | undefined): string[] {
  const left = leftOut(summary.problems);
  // What was not read has no throughput.
  const rate = summary.seconds > 0 && !summary.unchanged ? `, ${formatSize(summary.bytes / summary.seconds)}/s` : '';
  const lines = [
    `${summary.repository}@${summary.number}: ${summary.unchanged ? 'nothing has changed' : 'committed'}${standingText(summary)}`,
    row(
      'holds',
      `${counted(summary.files, 'file')}, ${formatSize(summary.bytes)}, ${counted(summary.directories, 'directory')}, ${counted(summary.symlinks, 'symlink')}`,
    ),
    row(
      'new',
      `${counted(summary.newFiles, 'file')}, ${counted(summary.newBlocks, 'block')}, ${formatSize(summary.newBytes)} in ${counted(summary.newShards, 'shard')}`,
    ),
  ];
  if (summary.resumedFiles > 0) lines.push(row('resumed', `${counted(summary.resumedFiles, 'file')} that an interrupted run had imported`));
  if (left.length > 0) lines.push(row('left out', left.join(', ')));
  if (summary.unreadableShards !== undefined)
    lines.push(row('damaged', `${counted(summary.unreadableShards, 'shard')} with no whole copy: run \`shardctl repair\``));
  if (summary.gate?.outcome === 'unjudged') lines.push(row('gate', gateText(summary.gate)));
  else if (summary.gate !== undefined && summary.gate.kinds.length > 0)
    lines.push(row('gate', `${summary.gate.kinds.join(', ')}: ${gateText(summary.gate)}`));
  lines.push(
    ...peerRows(
      summary.peers,
      columns,
      ({ name, placedBytes, freeBefore, freeAfter }) =>
        `${name}: ${formatSize(placedBytes)} placed, free ${formatSize(freeBefore)} → ${formatSize(freeAfter)}`,
    ),
  );
  lines.push(row('root', summary.tree), row('snapshot', summary.snapshot), row('time', `${formatSeconds(summary.seconds)}${rate}`));
  return lines;
}

function standingText({ gate, released }: Summary): string {
  if (gate?.outcome === 'held') return ', and held back by the gate';
  return released === true ? '; the gate has held it back, and lets it through now: it is the head' : '';
}

function gateText(gate: NonNullable<Summary['gate']>): string {
  const left = gate.leftOut === undefined ? '' : `; ${counted(gate.leftOut, 'file')} that they name left out by the filters`;
  return `${standText(gate)}${left}${lackingText(gate.lacking ?? [])}`;
}

/** @param programs that were not there */
export function lackingText(programs: readonly string[]): string {
  return programs.length === 0
    ? ''
    : `; indexes that only ${programs.map((name) => `\`${name}\``).join(' and ')} can unpack are not judged`;
}

function standText({ outcome, count, lacking, asBefore = 0 }: NonNullable<Summary['gate']>): string {
  if (outcome === 'unjudged') return 'not judged, as nothing can be read from these peers';
  if (outcome === 'passed') return lacking === undefined ? 'indexes and files agree' : 'no contradiction in what could be read';
  if (count === 0) return `${counted(asBefore, 'contradiction')}, as before`;
  return `${counted(count, 'contradiction')}${outcome === 'accepted' ? ', accepted' : ''}${asBefore > 0 ? `, and ${formatCount(asBefore)} as before` : ''}`;
}

export function counted(n: number, noun: string): string {
  const plural = noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : noun.endsWith('x') ? `${noun}es` : `${noun}s`;
  return `${formatCount(n)} ${n === 1 ? noun : plural}`;
}

/** `3.4 s`, `2:05`, `1:02:03` */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(9)} ${text}`;
}
