/** Byte strings as arguments of node:fs, which would encode a JS string as UTF-8. */
import type { ByteString } from './model.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is exactly what a string argument passes through unchanged
const ASCII = /^[\x00-\x7f]*$/;

/** The path as node:fs takes it without changing a byte: itself when it is ASCII (faster), else a Buffer. */
export function fsPath(path: ByteString): string | Buffer {
  return ASCII.test(path) ? path : Buffer.from(path, 'latin1');
}

/** A path of the command line (UTF-8 in a JS string) as bytes. */
export function toBytes(path: string): ByteString {
  return Buffer.from(path, 'utf8').toString('latin1');
}

/** The bytes that a part of an address (ASCII, or one character a byte) stands for. */
export function percentDecoded(encoded: string): ByteString {
  return encoded.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** `a` + `/` + `b`; the root of a tree is the empty path. */
export function joinBytes(a: ByteString, b: ByteString): ByteString {
  return a === '' ? b : `${a}/${b}`;
}

/** The directory that an entry of a tree is in, and its name. */
export function partsOf(path: ByteString): { readonly above: ByteString; readonly name: ByteString } {
  const slash = path.lastIndexOf('/');
  return { above: path.slice(0, Math.max(0, slash)), name: path.slice(slash + 1) };
}

/** The key that walk order sorts by: with the slash, all that is below a directory comes right after it. */
export function keyOf(path: ByteString): string {
  return path === '' ? '' : `${path}/`;
}
