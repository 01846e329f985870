/**
 * `forget`: which snapshots a policy keeps. The rules are restic's: each `keepLast … keepYearly` takes the newest snapshot
 * of as many hours, days, weeks, months, years as it says; a snapshot stays when any of them wants it.
 */
import { isHeld, type RepositoryRecord, type SnapshotRecord } from '../core/model.ts';
import type { Duration, Policy } from '../home/retention.ts';
import { mayBePublished, type PublishedAt } from '../snapshot/published.ts';
import { tagsOf } from '../snapshot/tag.ts';

export interface Decision {
  readonly snapshot: SnapshotRecord;
  /** Why it is kept; empty: it is to be forgotten. */
  readonly reasons: readonly string[];
}

type Rule = Exclude<keyof Policy, 'within' | 'tags'>;

const RULES: readonly Rule[] = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'];

/** Snapshots of one bucket are of the same hour, day, … in UTC. */
const BUCKETS: Readonly<Record<Rule, (time: Date, nth: number) => string | number>> = {
  last: (_, nth) => nth,
  hourly: (time) => time.toISOString().slice(0, 13),
  daily: (time) => time.toISOString().slice(0, 10),
  weekly: isoWeek,
  monthly: (time) => time.toISOString().slice(0, 7),
  yearly: (time) => time.getUTCFullYear(),
};

/**
 * Decides about every snapshot of a repository, newest first. The head is always kept, and so are the snapshots at which its IPNS name may point,
 * and the newest that the gate holds back. The rules pass over all that it has held back.
 * @param repository its head, `held`, `published`, `publishing`, and its tags
 * @param now milliseconds since 1970: a snapshot from the future does not make the others old
 */
export function keep(
  snapshots: readonly SnapshotRecord[],
  policy: Policy,
  { head, held, tags, ...published }: PublishedAt & Pick<RepositoryRecord, 'head' | 'held' | 'tags'>,
  now: number,
): Decision[] {
  const timeOf = ({ time }: SnapshotRecord) => Date.parse(time);
  const newestFirst = [...snapshots].sort((a, b) => timeOf(b) - timeOf(a) || b.number - a.number);
  const counting = newestFirst.filter((snapshot) => !isHeld(snapshot));
  const latest = counting.map(timeOf).find((time) => time <= now);
  const since = policy.within === undefined || latest === undefined ? undefined : before(latest, policy.within);
  const left = new Map(RULES.map((rule) => [rule, policy[rule] ?? 0]));
  const taken = new Map<Rule, string | number>();

  let nth = -1;
  return newestFirst.map((snapshot) => {
    const reasons = snapshot.number === head ? ['head'] : [];
    if (snapshot.number === held) reasons.push('held by the gate');
    if (mayBePublished(published, snapshot.number)) reasons.push('published');
    for (const tag of tagsOf(tags, snapshot.number)) if (policy.tags?.includes(tag)) reasons.push(`tag ${tag}`);
    // Nobody was given it: it must not take the place of one that readers had.
    if (isHeld(snapshot)) return { snapshot, reasons };
    nth += 1;
    if (since !== undefined && timeOf(snapshot) > since) reasons.push(`within ${formatDuration(policy.within as Duration)}`);
    for (const rule of RULES) {
      const count = left.get(rule) as number;
      if (count <= 0) continue;
      const bucket = BUCKETS[rule](new Date(timeOf(snapshot)), nth);
      const isNew = bucket !== taken.get(rule);
      // While a rule has counts left, the oldest snapshot stays: history is then as long as it can be.
      if (!isNew && nth < counting.length - 1) continue;
      reasons.push(isNew ? rule : `oldest ${rule}`);
      taken.set(rule, bucket);
      left.set(rule, count - 1);
    }
    return { snapshot, reasons };
  });
}

function formatDuration({ years, months, days, hours }: Duration): string {
  const parts: [number, string][] = [
    [years, 'y'],
    [months, 'm'],
    [days, 'd'],
    [hours, 'h'],
  ];
  return parts.flatMap(([n, unit]) => (n === 0 ? [] : [`${n}${unit}`])).join('') || '0h';
}

/** As Go's AddDate: months and years by the calendar. */
function before(time: number, { years, months, days, hours }: Duration): number {
  const date = new Date(time);
  date.setUTCFullYear(date.getUTCFullYear() - years, date.getUTCMonth() - months, date.getUTCDate() - days);
  return date.getTime() - hours * 3_600_000;
}

/** The ISO week belongs to the year that its Thursday is in. */
function isoWeek(time: Date): string {
  const thursday = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const year = thursday.getUTCFullYear();
  return `${year}-${Math.ceil(((thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 + 1) / 7)}`;
}
