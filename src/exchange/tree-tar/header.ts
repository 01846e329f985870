/**
 * The headers of entries in a tar, as POSIX.1-2017 has them (pax): a ustar header, and before it records of what that has no room for:
 * long names, sizes from 8 GiB on, and times that are no whole second. Names are written as the bytes that they are; tar-stream would
 * write them as UTF-8.
 */
import { type ByteString, DIRECTORY, type EntryKind, FILE } from '../../core/model.ts';

export const TAR_BLOCK_BYTES = 512;

const NAME_BYTES = 100;
const NS_PER_SECOND = 1_000_000_000n;
/** The largest number in 11 octal digits: of a size, and of a time. */
const MOST_OCTAL = 8 ** 11 - 1;
const TYPES: Readonly<Record<EntryKind, string>> = { 1: '0', 2: '5', 3: '2' };
/** Where a tree has no modes: as most systems make files. */
const USUAL_MODE: Readonly<Record<EntryKind, number>> = { 1: 0o644, 2: 0o755, 3: 0o777 };

export interface TarEntry {
  /** Of a directory without a slash at its end. */
  readonly path: ByteString;
  readonly kind: EntryKind;
  /** Of a file. */
  readonly size: number;
  readonly mode: number | undefined;
  readonly mtimeNs: bigint | undefined;
  /** Of a symlink. */
  readonly target: Uint8Array | undefined;
}

/** All that stands before the bytes of an entry. */
export function tarHeader({ path, kind, size: itsSize, mode = USUAL_MODE[kind], mtimeNs = 0n, target }: TarEntry): Buffer {
  const name = kind === DIRECTORY ? `${path}/` : path;
  const link = target === undefined ? '' : Buffer.from(target).toString('latin1');
  const size = kind === FILE ? itsSize : 0;
  const seconds = Number((mtimeNs - (((mtimeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND)) / NS_PER_SECOND);
  const isWholeTime = mtimeNs % NS_PER_SECOND === 0n && seconds >= 0 && seconds <= MOST_OCTAL;
  const records: [string, ByteString][] = [
    ...(name.length > NAME_BYTES ? [['path', name] as [string, ByteString]] : []),
    ...(link.length > NAME_BYTES ? [['linkpath', link] as [string, ByteString]] : []),
    ...(size > MOST_OCTAL ? [['size', String(size)] as [string, ByteString]] : []),
    ...(isWholeTime ? [] : [['mtime', secondsText(mtimeNs)] as [string, ByteString]]),
  ];
  const own = ustar({ name, link, size, mode, seconds: Math.min(MOST_OCTAL, Math.max(0, seconds)), type: TYPES[kind] });
  if (records.length === 0) return own;
  const body = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(''), 'latin1');
  const head = ustar({ name: 'pax', link: '', size: body.length, mode: 0o644, seconds: 0, type: 'x' });
  return Buffer.concat([head, body, paddingAfter(body.length), own]);
}

/** Zeros up to a whole block. */
export function paddingAfter(bytes: number): Buffer {
  return Buffer.alloc((TAR_BLOCK_BYTES - (bytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES);
}

interface Ustar {
  readonly name: ByteString;
  readonly link: ByteString;
  readonly size: number;
  readonly mode: number;
  readonly seconds: number;
  readonly type: string;
}

function ustar({ name, link, size, mode, seconds, type }: Ustar): Buffer {
  const block = Buffer.alloc(TAR_BLOCK_BYTES);
  const octal = (value: number, at: number, bytes: number) => block.write(value.toString(8).padStart(bytes - 1, '0'), at, 'latin1');
  block.write(name.slice(0, NAME_BYTES), 0, 'latin1');
  octal(mode, 100, 8);
  // Nobody's: UnixFS keeps no owners, and a program that unpacks as somebody makes all of it his.
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size > MOST_OCTAL ? 0 : size, 124, 12);
  octal(seconds, 136, 12);
  // The sum is computed as if its own field were spaces.
  block.fill(' ', 148, 156);
  block.write(type, 156, 'latin1');
  block.write(link.slice(0, NAME_BYTES), 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** `LENGTH KEY=VALUE\n`; the length counts its own digits. */
function paxRecord(key: string, value: ByteString): ByteString {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

/** Seconds, with as many digits of a nanosecond as there are. */
function secondsText(ns: bigint): string {
  const digits = String(ns < 0n ? -ns : ns).padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${digits.slice(0, -9)}${fraction === '' ? '' : `.${fraction}`}`;
}
