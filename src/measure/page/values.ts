/** Numbers as people read them. */
import { formatSize } from '../../home/sizes.ts';
import type { Figure } from './figures.ts';

export function shownValue(value: number, { kind }: Pick<Figure, 'kind'>): string {
  switch (kind) {
    case 'seconds':
      return `${digits(value)} s`;
    case 'milliseconds':
      return `${digits(value)} ms`;
    case 'bytes':
      return formatSize(value);
    case 'count':
      return Math.round(value).toLocaleString('en');
  }
}

/** Three of them. */
function digits(value: number): string {
  if (value === 0) return '0';
  return value.toFixed(Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(value)))));
}
