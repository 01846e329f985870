/** Numbers as people read them. */
import type { Measured } from './figures.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function shownValue(value: number, { kind }: Pick<Measured, 'kind'>): string {
  switch (kind) {
    case 'seconds':
      return `${digits(value)} s`;
    case 'milliseconds':
      return `${digits(value)} ms`;
    case 'bytes':
      return shownBytes(value);
    case 'count':
      return Math.round(value).toLocaleString('en');
  }
}

export function shownBytes(bytes: number): string {
  const unit = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${digits(bytes / 1000 ** unit)} ${UNITS[unit]}`;
}

/** Three of them. */
function digits(value: number): string {
  if (value === 0) return '0';
  return value.toFixed(Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(value)))));
}
