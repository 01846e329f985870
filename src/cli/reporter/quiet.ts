/**
 * For cron: nothing unless something is wrong, so that a mail means that there is something to do. One cause has one line, however
 * many repositories and shards it hits: what may have a cause in common is kept until the end.
 */
import type { EntryProblem, Event } from '../../core/events.ts';
import { formatCount } from '../../home/sizes.ts';
import { News } from './news.ts';
import type { Output } from './output.ts';
import type { Reporter } from './reporter.ts';
import { counted, errorLine, PROBLEMS, problemLine } from './text.ts';

/** So many repositories or shards are named in a line that stands for more. */
const MOST_NAMED = 3;

/** So many entries with one problem are in a mail: there may be a million files that may not be read. */
const MOST_ENTRIES = 20;

/** Events that are the same but for what they happened to. */
interface Group {
  readonly first: Event;
  /** Repositories, shards, or whole messages of one cause. */
  readonly subjects: Set<string>;
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
      const { first, subjects } = groups.get(key) ?? { first: event, subjects: new Set<string>() };
      // The longest of the warnings with one cause stands for all.
      const isMore = event.type === 'warning' && first.type === 'warning' && event.message.length > first.message.length;
      groups.set(key, { first: isMore ? event : first, subjects: subjects.add(subject) });
    },
    finish({ error }) {
      for (const [problem, count] of entries)
        if (count > MOST_ENTRIES) output.note(`${PROBLEMS[problem]}: and ${formatCount(count - MOST_ENTRIES)} more`);
      const last = error === undefined ? [] : [errorLine(error)];
      const all = [...groups.values()];
      const findings = all.filter(({ first }) => first.type !== 'warning').map(lineOf);
      // What an error or a finding says is not said before as a warning.
      const isSaid = ({ first }: Group) =>
        first.type === 'warning' &&
        ([...findings, ...last].some((line) => first.cause !== undefined && line.includes(first.cause)) ||
          all.some(({ first: other }) => isFinding(other) && first.message.includes(other.detail)));
      const warnings = all.filter((group) => group.first.type === 'warning' && !isSaid(group)).map(lineOf);
      for (const line of [...warnings, ...findings, ...last]) output.note(line);
    },
  };
}

/** What makes two events one, and what they differ in; undefined for one that is told at once, by itself. */
function causeOf(event: Event): [key: string, subject: string] | undefined {
  switch (event.type) {
    case 'warning':
      return [`warning ${event.cause ?? event.message}`, event.message];
    case 'damage':
      return [`damage ${event.where}: ${ofAny(event.detail)}`, event.what];
    case 'no-answer':
      return [`no-answer ${event.peer}: ${event.detail}`, event.peer];
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

/** Repositories lack different numbers of shards or bytes for one reason: the message without these. A number in a name or a path stays. */
function sameFor(code: string, message: string): string {
  return code === 'TOO_FEW_PEERS' || code === 'NO_SPACE' ? message.replaceAll(/(?<![\w/.@-])\d[\d,]*(\.\d+)?(?![\w/.@-])/g, '#') : message;
}

/** The finding without the CID and the path of the shard, in which several shards with the same finding differ. */
function ofAny(detail: string): string {
  return detail.replaceAll(/ ?\(\/[^)]*\)/g, '').replaceAll(/ baf[a-z2-7]{50,}/g, '');
}

function lineOf({ first, subjects }: Group): string {
  const more = subjects.size - 1;
  if (first.type === 'warning') {
    const line = problemLine(first) as string;
    return more === 0 ? line : `${line} (and ${counted(more, 'warning')} of the same reason)`;
  }
  const all = [...subjects];
  const named = more < MOST_NAMED ? all.join(', ') : `${all.slice(0, MOST_NAMED).join(', ')} and ${all.length - MOST_NAMED} more`;
  if (first.type === 'failed') return problemLine({ ...first, repository: named }) as string;
  const detail = first.type === 'damage' && more > 0 ? { detail: ofAny(first.detail) } : {};
  return problemLine({ ...first, ...detail, what: named } as Event) as string;
}
