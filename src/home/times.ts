/** Lengths of time as people write and read them. */

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;
type Unit = keyof typeof UNIT_MS;

/** `90s`, `30m`, `6h`, `2d`, `1w`, or `0`: of every option and setting that takes a length of time. @returns milliseconds, or undefined when the text is no such time */
export function parseTime(text: string): number | undefined {
  if (text === '0') return 0;
  const [, number = '', unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  return unit === '' ? undefined : Number(number) * UNIT_MS[unit as Unit];
}

/** A time that something may take: some, and no more than a timer of Node holds. */
export function parseTimeout(text: string): number | undefined {
  const ms = parseTime(text);
  return ms === undefined || ms === 0 || ms >= 2 ** 31 ? undefined : ms;
}

/** In the largest unit of which there are at least two, rounded down: `100 min`, `3 h`, `2 d`. */
export function formatTime(ms: number): string {
  const names = [
    ['d', 'd'],
    ['h', 'h'],
    ['m', 'min'],
  ] as const;
  for (const [unit, name] of names) if (ms >= 2 * UNIT_MS[unit]) return `${Math.floor(ms / UNIT_MS[unit])} ${name}`;
  return `${Math.floor(ms / 1000)} s`;
}
