/** How names are shown: names are bytes, and a terminal or a log must survive every one of them. */
import type { ByteString } from './model.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * A path for people and logs: UTF-8 as it is, control characters, backslashes and stray bytes as `\n` or `\xDF`. So is the backtick before
 * the name of this program: in messages that begins a command, into which the home is put.
 */
export function displayPath(path: ByteString): string {
  const plain = utf8OrUndefined(path);
  return plain === undefined ? escaped(path, /[^\x20-\x7e]|\\|`(?=shardctl )/g) : displayText(plain);
}

/** Text that strangers wrote, for people: escapes what would move a terminal's cursor, or hide or reverse the text beside it. */
export function displayText(text: string): string {
  return escaped(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]|`(?=shardctl )/gu);
}

/** The last filter before a terminal, for lines that are made already: escapes what no code before it has. Backslashes stay, so that escapes are not escaped again. */
export function displayLine(text: string): string {
  return escaped(text, UNSAFE);
}

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The same for JSON: `JSON.stringify` leaves characters that a terminal may obey (C1 controls, changes of direction); they become `\uXXXX`. */
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
    const code = char.codePointAt(0) ?? 0;
    return SHORT[char] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0').toUpperCase()}` : `\\u{${code.toString(16)}}`);
  });
}

/** Quotes a word for a shell, in commands that people are to copy. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A URL as people may see it: without user and password. */
export function displayUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/?#]*@/i, '$1');
}

/** So many of a list are named in a sentence. */
const MOST_NAMED = 3;

/** `a, b, c and 6 more`: a list of any length as a part of a sentence. */
export function listed(all: readonly string[], separator = ', '): string {
  const more = all.length - MOST_NAMED;
  // "and 1 more" is as long as its name.
  return more <= 1 ? all.join(separator) : `${all.slice(0, MOST_NAMED).join(separator)} and ${more} more`;
}
