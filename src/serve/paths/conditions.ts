/** Conditional requests and ranges, as RFC 9110 has them, for GET and HEAD. Decided from the headers alone: nothing has been read yet. */

/** The headers of a request that count here. */
export interface RequestConditions {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
  readonly 'if-modified-since'?: string | undefined;
  readonly 'if-unmodified-since'?: string | undefined;
  readonly 'if-range'?: string | undefined;
  readonly range?: string | undefined;
}

/** What is compared. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string;
  /** Seconds since 1970. */
  readonly modified: number | undefined;
}

/** Bytes from `from` on and before `to`. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** What the answer is: all of it, a part, nothing because the client has it (304), nothing because it is not what the client wants (412, 416). */
export type Decision = { readonly status: 200 | 304 | 412 | 416 } | { readonly status: 206; readonly range: ByteRange };

const WHOLE: Decision = { status: 200 };
const NOT_MODIFIED: Decision = { status: 304 };
const FAILED: Decision = { status: 412 };
const NOT_SATISFIABLE: Decision = { status: 416 };

/** @param size bytes of the whole; undefined for what has no ranges */
export function decide(headers: RequestConditions, validators: Validators, size: number | undefined, method: string): Decision {
  const precondition = precede(headers, validators);
  if (precondition !== undefined) return precondition;
  const { range } = headers;
  // RFC 9110, 14.2: ranges are defined for GET alone.
  if (range === undefined || size === undefined || method !== 'GET' || !isSame(headers['if-range'], validators)) return WHOLE;
  return rangeOf(range, size);
}

/** Section 13.2.2: in this order, and a date only where there is no list of tags. */
function precede(headers: RequestConditions, { etag, modified }: Validators): Decision | undefined {
  const match = headers['if-match'];
  const noneMatch = headers['if-none-match'];
  if (match !== undefined) {
    if (!lists(match, etag, false)) return FAILED;
  } else if (modified !== undefined) {
    const date = dateOf(headers['if-unmodified-since']);
    if (date !== undefined && modified > date) return FAILED;
  }
  if (noneMatch !== undefined) return lists(noneMatch, etag, true) ? NOT_MODIFIED : undefined;
  if (modified === undefined) return undefined;
  const date = dateOf(headers['if-modified-since']);
  return date !== undefined && modified <= date ? NOT_MODIFIED : undefined;
}

/** An entity tag: bytes of quoted text without a quote in it. */
const TAG = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

/** @param isWeak compares weakly: a tag that is marked weak counts (13.1.2), else it does not (13.1.1) */
function lists(header: string, etag: string, isWeak: boolean): boolean {
  if (header === etag) return true;
  if (header.trim() === '*') return true;
  if (!header.includes(etag)) return false;
  for (const [, weak, tag] of header.matchAll(TAG)) if (tag === etag && (isWeak || weak === undefined)) return true;
  return false;
}

/** Section 13.1.5: the tag must be the same and strong, a date exactly the same. */
function isSame(ifRange: string | undefined, { etag, modified }: Validators): boolean {
  if (ifRange === undefined) return true;
  const value = ifRange.trim();
  if (value.startsWith('"') || value.startsWith('W/')) return value === etag;
  return modified !== undefined && dateOf(value) === modified;
}

const FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  /^[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/,
  // Sunday, 06-Nov-94 08:49:37 GMT
  /^[A-Z][a-z]+day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/,
];
/** Sun Nov  6 08:49:37 1994 */
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d) (\d{4})$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Seconds since 1970, from any of the three forms of section 5.6.7; undefined for what is none, which then counts as not sent. */
export function dateOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const asctime = ASCTIME.exec(text.trim());
  const [, day, month, year, hour, minute, second] =
    asctime === null
      ? (FORMS.map((form) => form.exec(text.trim())).find((it) => it !== null) ?? [])
      : [null, asctime[2]?.trim(), asctime[1], asctime[4], ...(asctime[3] ?? '').split(':')];
  const at = MONTHS.indexOf(month ?? '');
  if (at < 0 || year === undefined) return undefined;
  const time = Date.UTC(fullYear(year), at, Number(day), Number(hour), Number(minute), Number(second));
  // A time that no clock shows, such as 25:00:00, runs over into the next day.
  return new Date(time).getUTCDate() === Number(day) ? time / 1000 : undefined;
}

/** A year of two digits is never more than 50 years ahead; all files of mirrors are younger than 1970. */
function fullYear(year: string): number {
  if (year.length === 4) return Number(year);
  return Number(year) + (Number(year) < 70 ? 2000 : 1900);
}

/** The bytes of the body by a decision of 200 or 206, and the headers that say which they are. */
export function partOf(decision: Decision, size: number): { readonly from: number; readonly to: number; readonly headers: PartHeaders } {
  if (decision.status !== 206) return { from: 0, to: size, headers: { 'content-length': String(size) } };
  const { from, to } = decision.range;
  return { from, to, headers: { 'content-length': String(to - from), 'content-range': `bytes ${from}-${to - 1}/${size}` } };
}

type PartHeaders = Readonly<Record<string, string>>;

/** Headers of 416: how many bytes there are. */
export function noSuchBytes(size: number): PartHeaders {
  return { 'content-range': `bytes */${size}` };
}

/** Several ranges, and what is no range of bytes, are answered with the whole (14.2 allows it). */
function rangeOf(header: string, size: number): Decision {
  const [, first = '', last = ''] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header) ?? [];
  if (first === '' && last === '') return WHOLE;
  if (first === '') {
    const count = Number(last);
    if (count === 0) return NOT_SATISFIABLE;
    // The end of an empty file is the whole of it: there is no Content-Range for it.
    return size === 0 ? WHOLE : { status: 206, range: { from: Math.max(0, size - count), to: size } };
  }
  const from = Number(first);
  if (last !== '' && Number(last) < from) return WHOLE;
  if (from >= size) return NOT_SATISFIABLE;
  return { status: 206, range: { from, to: last === '' ? size : Math.min(size, Number(last) + 1) } };
}
