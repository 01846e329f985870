/** Small pieces of the status page: numbers, times and bars, as HTML that is safe whatever the text. */
import { displayText } from '../../core/display.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { escapeHtml } from '../paths/page.ts';

/** Text that strangers may have written. Not for commands that are copied: a backslash is shown as two. */
export function safe(text: string): string {
  return escapeHtml(displayText(text));
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)}&nbsp;${n === 1 ? one : many}`;
}

export function size(bytes: number): string {
  return formatSize(bytes).replace(' ', '&nbsp;');
}

/** `3 min ago`, with the exact time for whoever asks. @param at and `now`: milliseconds since 1970 */
export function ago(at: number, now: number): string {
  const date = new Date(at).toISOString();
  return `<time datetime="${date}" title="${date.slice(0, 19).replace('T', ' ')} UTC">${span(Math.max(0, now - at) / 1000)}&nbsp;ago</time>`;
}

/** A duration in the one or two units that matter. @param seconds */
export function span(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)}&nbsp;s`;
  if (seconds < 60) return `${Math.round(seconds)}&nbsp;s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}&nbsp;min`;
  const hours = Math.round(minutes / 60);
  if (hours < 48)
    return minutes < 600 && minutes % 60 !== 0 ? `${Math.floor(minutes / 60)}&nbsp;h ${minutes % 60}&nbsp;min` : `${hours}&nbsp;h`;
  return `${Math.round(hours / 24)}&nbsp;days`;
}

/**
 * A bar that is filled to a part. SVG, because the page's policy allows no style in an element.
 * @param part from 0 to 1; undefined: nobody knows
 */
export function bar(part: number | undefined, label: string, kind: 'fill' | 'progress' = 'progress'): string {
  const percent = part === undefined ? 0 : Math.round(Math.min(1, Math.max(0, part)) * 1000) / 10;
  const level = kind === 'progress' ? 'go' : percent >= 95 ? 'bad' : percent >= 85 ? 'warn' : 'ok';
  const none = part === undefined ? ' none' : '';
  return `<svg class="bar ${level}${none}" viewBox="0 0 100 1" preserveAspectRatio="none" role="img" aria-label="${safe(label)}"><rect class="rest" width="100" height="1"/><rect width="${percent}" height="1"/></svg>`;
}
