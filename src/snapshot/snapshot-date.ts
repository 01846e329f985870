/**
 * Which snapshot a date means, as references (`debian@2026-11-25`) and addresses (`/debian@20261125T120000Z/…`) give it. All is UTC.
 * Instead of a date, there may be a number or a tag; no tag looks like either (`tag.ts`).
 *
 * A date means the newest snapshot that is not younger. It names a span, a day, a minute, a second or a millisecond, and its *end*
 * counts: `2026-11-25` is the state at the end of that day, and so contains what was committed on it; and a time to the second, copied
 * from a listing, contains the snapshot that was committed within that second. Snapshots that the gate holds back, or held back until
 * a newer one passed, are passed over: nobody was given them.
 */
import { isHeld, type SnapshotRecord, type Tags } from '../core/model.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** With or without `-` and `:`, as ISO 8601 has it; 20261125 alone would be the number of a snapshot. */
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{3}))?)?Z?)?$|^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)?Z?$/i;

/** The last millisecond of the span that a date names, since 1970; undefined when the text is no date that the calendar has. */
export function endOfDate(text: string): number | undefined {
  return spanOf(text)?.end;
}

/** The first and the last millisecond. */
export function spanOf(text: string): { readonly start: number; readonly end: number } | undefined {
  const found = DATE.exec(text)?.slice(1);
  if (found === undefined) return undefined;
  const [year, month, day, hour, minute, second, fraction] = found[0] === undefined ? found.slice(7) : found;
  const span = hour === undefined ? DAY : second === undefined ? MINUTE : fraction === undefined ? SECOND : 1;
  const iso = `${year}-${month}-${day}T${hour ?? '00'}:${minute ?? '00'}:${second ?? '00'}.${fraction ?? '000'}Z`;
  const start = Date.parse(iso);
  // Date.parse takes the 31st of April for the 1st of May.
  return Number.isNaN(start) || new Date(start).toISOString() !== iso ? undefined : { start, end: start + span - 1 };
}

/**
 * The snapshot that `when` names: a number, a date, or a tag. Undefined when it is none of them, when there is no such number, and when
 * all snapshots are younger.
 * @param snapshots oldest first
 */
export function snapshotAt<T extends Pick<SnapshotRecord, 'number' | 'time' | 'gate'>>(
  snapshots: readonly T[],
  when: string,
  tags: Tags = {},
): T | undefined {
  const wanted = /^\d+$/.test(when) ? Number(when) : Object.hasOwn(tags, when) ? tags[when] : undefined;
  if (wanted !== undefined) return snapshots.find(({ number }) => number === wanted);
  const end = endOfDate(when);
  return end === undefined ? undefined : snapshots.findLast((one) => !isHeld(one) && Date.parse(one.time) <= end);
}

/** A snapshot's time as addresses have it: `20261125T120000Z`. */
export function compactTime(time: string): string {
  return `${new Date(Date.parse(time)).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}
