/** How names are shown: names are bytes, and a terminal or a log must survive every one of them. */
import type { ByteString } from './model.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** A path for people and logs: UTF-8 as it is, control characters, backslashes and stray bytes as `\n` or `\xDF`. */
export function displayPath(path: ByteString): string {
  const plain = utf8OrUndefined(path);
  return plain === undefined ? escaped(path, /[^\x20-\x7e]|\\/g) : displayText(plain);
}

/** Text that came from elsewhere: what would move a terminal's cursor, or hide or turn round what stands beside it, is escaped. */
export function displayText(text: string): string {
  return escaped(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]/gu);
}

/** Of what is text for a terminal already: what may not reach one, whoever let it through. Backslashes stay: escapes are not escaped again. */
export function displayLine(text: string): string {
  return escaped(text, UNSAFE);
}

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The same for a text that is JSON: `JSON.stringify` leaves in it what a terminal may obey, as in the escapes of eight bits and turns of direction. */
export function displayJson(json: string): string {
  return json.replace(UNSAFE, (char) => Array.from({ length: char.length }, (_, i) => `\\u${hex(char.charCodeAt(i))}`).join(''));
}

function hex(unit: number): string {
  return unit.toString(16).padStart(4, '0');
}

function utf8OrUndefined(path: ByteString): string | undefined {
  try {
    return decoder.decode(Buffer.from(path, 'latin1'));
  } catch {
    return undefined;
  }
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\\': '\\\\' };

function escaped(text: string, what: RegExp): string {
  return text.replace(what, (char) => {
    const code = char.codePointAt(0) as number;
    return SHORT[char] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0').toUpperCase()}` : `\\u{${code.toString(16)}}`);
  });
}

/** As a shell takes it for one word: for commands that people copy. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A URL as people may see it: without user and password. */
export function displayUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/?#]*@/i, '$1');
}
