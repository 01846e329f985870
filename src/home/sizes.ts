/** Byte sizes as people write and read them. */

const SIZE = /^(\d+(?:\.\d+)?)\s*(?:([kmgtpe])(i?b)?|b)?$/i;
const POWER = 'kmgtpe';
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/**
 * `500GB`, `128MiB`, `1.5T`, `4096`. As in rsync and coreutils: `K`, `KiB` are 1024 bytes, `KB` is 1000; case does not matter.
 * @returns whole bytes, or undefined when the text is no size or more than 2^53
 */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  if (match === null) return undefined;
  const [, digits = '', unit, suffix] = match;
  const base = suffix?.toLowerCase() === 'b' ? 1000 : 1024;
  const bytes = Math.floor(Number(digits) * (unit === undefined ? 1 : base ** (POWER.indexOf(unit.toLowerCase()) + 1)));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `1.4 GiB`: powers of 1024, with one digit after the point. */
export function formatSize(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  // 1023.95 would be shown as 1024.0: it belongs to the next unit.
  while (value >= (unit === 0 ? 1024 : 1023.95) && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 ? String(Math.round(value)) : value.toFixed(1);
  return `${bytes < 0 ? '-' : ''}${digits} ${UNITS[unit]}`;
}

/** `1,234,567`, the same in every locale. */
export function formatCount(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
}
