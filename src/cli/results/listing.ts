/** How `ls -l` writes an entry's mode and time. */
import { DIRECTORY, type EntryKind, FILE, SYMLINK } from '../../core/model.ts';

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
/** Last millisecond that a Date can hold, in the year 275760. */
const MOST_DATE_MS = 8_640_000_000_000_000n;

/** As events and results have them. */
export const KIND_NAMES = { [FILE]: 'file', [DIRECTORY]: 'directory', [SYMLINK]: 'symlink' } as const satisfies Record<EntryKind, string>;

/** `drwxr-sr-x`; without metadata the permissions are unknown: `d?????????`. */
export function modeText(kind: EntryKind, mode: number | undefined): string {
  const letter = kind === DIRECTORY ? 'd' : kind === SYMLINK ? 'l' : '-';
  // UnixFS keeps no mode of a symlink, and no system uses one.
  if (kind === SYMLINK) return `${letter}rwxrwxrwx`;
  if (mode === undefined) return `${letter}?????????`;
  const triplet = (shift: number, special: boolean, mark: string) => {
    const bits = (mode >> shift) & 7;
    const execute = bits & 1 ? (special ? mark : 'x') : special ? mark.toUpperCase() : '-';
    return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${execute}`;
  };
  return `${letter}${triplet(6, (mode & 0o4000) !== 0, 's')}${triplet(3, (mode & 0o2000) !== 0, 's')}${triplet(0, (mode & 0o1000) !== 0, 't')}`;
}

/** `2001-09-09 01:46:40.500000000`, in UTC; a `-` when it is unknown. */
export function timeText(mtimeNs: bigint | undefined): string {
  if (mtimeNs === undefined) return '-';
  const nanoseconds = ((mtimeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const seconds = (mtimeNs - nanoseconds) / NS_PER_SECOND;
  const fraction = String(nanoseconds).padStart(9, '0');
  const ms = (mtimeNs - nanoseconds) / NS_PER_MS;
  if (ms > MOST_DATE_MS || ms < -MOST_DATE_MS) return `@${seconds}.${fraction}`;
  return `${new Date(Number(ms)).toISOString().replace('T', ' ').slice(0, -5)}.${fraction}`;
}

/** Seconds since 1970 with nine decimals, for programs: a double would lose the nanoseconds. */
export function secondsText(mtimeNs: bigint): string {
  const sign = mtimeNs < 0n ? '-' : '';
  const digits = String(mtimeNs < 0n ? -mtimeNs : mtimeNs).padStart(10, '0');
  return `${sign}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
