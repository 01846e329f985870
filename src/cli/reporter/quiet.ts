/**
 * For cron: nothing unless something is wrong, so that a mail means that there is something to do. One cause has one line, however
 * many repositories and shards it hits: what may have a cause in common is kept until the end.
 */
import { listed } from '../../core/display.ts';
import type { EntryProblem, Event } from '../../core/events.ts';
import { formatCount } from '../../home/sizes.ts';
import { News } from './news.ts';
import type { Output } from './output.ts';
import type { Reporter } from './reporter.ts';
import { counted, errorLine, PROBLEMS, problemLine } from './text.ts';

/** So many entries with one problem are in a mail: there may be a million files that may not be read. */
const MOST_ENTRIES = 20;

/** Events that are the same but for what they happened to. */
interface Group {
  readonly first: Event;
  /** Repositories, shards, peers, or whole messages of one cause. */
  readonly subjects: Set<string>;
  /** Of warnings: what they are for, which differs where they say the same of several peers; and whom each is about. */
  readonly causes: Map<string, string | undefined>;
}

export function quietReporter(output: Output): Reporter {
  const groups = new Map<string, Group>();
  const news = new News();
  /** How many entries had each problem. */
  const entries = new Map<EntryProblem, number>();
  return {
    event(event) {
      // A FIFO or a socket is skipped in every run and is nobody's mistake.
      if (event.type === 'entry' && event.problem === 'special') return;
      if (!news.has(event)) return;
      const [key, subject] = causeOf(event) ?? [];
      if (key === undefined || subject === undefined) {
        const line = problemLine(event);
        const count = event.type === 'entry' ? (entries.get(event.problem) ?? 0) + 1 : 0;
        if (event.type === 'entry') entries.set(event.problem, count);
        if (line !== undefined && count <= MOST_ENTRIES) output.note(line);
        return;
      }
      const { first, subjects, causes } = groups.get(key) ?? { first: event, subjects: new Set<string>(), causes: new Map() };
      if (event.type === 'warning') causes.set(event.cause ?? event.message, event.peer);
      // The longest of the warnings with one cause stands for all.
      const isMore = event.type === 'warning' && first.type === 'warning' && event.message.length > first.message.length;
      groups.set(key, { first: isMore ? event : first, subjects: subjects.add(subject), causes });
    },
    finish({ error }) {
      for (const [problem, count] of entries)
        if (count > MOST_ENTRIES) output.note(`${PROBLEMS[problem]}: and ${formatCount(count - MOST_ENTRIES)} more`);
      const last = error === undefined ? [] : [errorLine(error)];
      const all = [...groups.values()];
      const findings = all.filter(({ first }) => first.type !== 'warning').map(lineOf);
      // What an error or a finding says is not said before as a warning.
      const isSaid = ({ first, causes }: Group) =>
        first.type === 'warning' &&
        ((first.cause !== undefined && areIn([...findings, ...last].join('\n'), [...causes.keys()])) ||
          all.some(
            ({ first: other }) =>
              isFinding(other) && withoutPeer(first.message, first.peer).includes(withoutPeer(other.detail, peerOf(other))),
          ));
      const warnings = all.filter((group) => group.first.type === 'warning' && !isSaid(group)).map(lineOf);
      for (const line of [...warnings, ...findings, ...last]) output.note(line);
    },
  };
}

/** What makes two events one, and what they differ in; undefined for one that is told at once, by itself. */
function causeOf(event: Event): [key: string, subject: string] | undefined {
  switch (event.type) {
    case 'warning':
      return [`warning ${withoutPeer(event.cause ?? event.message, event.peer)}`, event.message];
    case 'damage':
      return [`damage ${event.where}: ${ofAnyShard(event.detail)}`, event.what];
    case 'no-answer':
      return [`no-answer ${withoutPeer(event.detail, event.peer)}`, event.peer];
    case 'back':
      return [`back ${event.since}`, event.peer];
    case 'too-few':
      return [`too-few ${event.where}`, event.what];
    case 'mended':
      return [`mended ${event.where}`, event.what];
    case 'failed':
      return [`failed ${event.code} ${sameFor(event.code, event.message)} ${event.hint}`, event.repository];
    default:
      return undefined;
  }
}

function isFinding(event: Event): event is Extract<Event, { type: 'damage' | 'no-answer' }> {
  return event.type === 'damage' || event.type === 'no-answer';
}

/** Damage may also be in the index, or on several peers: then no message is about one of that name. */
function peerOf(finding: Extract<Event, { type: 'damage' | 'no-answer' }>): string {
  return finding.type === 'damage' ? finding.where : finding.peer;
}

/** Messages of several disks that are away differ in the name of the peer alone. */
function withoutPeer(text: string, peer: string | undefined): string {
  const name = peer?.replaceAll(/[^\w]/g, '\\$&');
  return name === undefined ? text : text.replaceAll(new RegExp(`(?<![\\w.-])${name}(?![\\w-])`, 'g'), '#');
}

/** Repositories lack different numbers of shards or bytes for one reason: the message without these. A number in a name or a path stays. */
function sameFor(code: string, message: string): string {
  return code === 'TOO_FEW_PEERS' || code === 'NO_SPACE' ? message.replaceAll(/(?<![\w/.@-])\d[\d,]*(\.\d+)?(?![\w/.@-])/g, '#') : message;
}

/** The finding without the CID and the path of the shard, in which several shards with the same finding differ. */
function ofAnyShard(detail: string): string {
  return detail.replaceAll(/ ?\(\/[^)]*\)/g, '').replaceAll(/ baf[a-z2-7]{50,}/g, '');
}

function lineOf({ first, subjects, causes }: Group): string {
  const all = [...subjects];
  const line = problemLine(first) as string;
  if (all.length === 1) return line;
  switch (first.type) {
    case 'warning':
      return causes.size > 1
        ? `${line} (and the same of ${listed(othersThan(first.cause ?? first.message, causes))})`
        : `${line} (and ${counted(all.length - 1, 'warning')} of the same reason)`;
    case 'failed':
      return problemLine({ ...first, repository: listed(all) }) as string;
    case 'no-answer':
      return `no answer: peers ${listed(all)}, of the first: ${first.detail}`;
    case 'back':
      return `peers ${listed(all)} answer again, after ${first.since}`;
    default:
      return problemLine({
        ...first,
        ...(first.type === 'damage' ? { detail: ofAnyShard(first.detail) } : {}),
        what: listed(all),
      } as Event) as string;
  }
}

function othersThan(cause: string, causes: Group['causes']): string[] {
  const peers = new Set([...causes].flatMap(([it, peer]) => (it === cause ? [] : (peer ?? it))));
  return [...peers];
}

/** Whether the text has all causes, or those of them that a long list begins with. */
function areIn(text: string, causes: readonly string[]): boolean {
  const told = causes.filter((cause) => text.includes(cause)).length;
  return told === causes.length || (told > 0 && / and \d+ more/.test(text));
}
