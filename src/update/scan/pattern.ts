/**
 * What rsync calls a wildcard pattern. All the ways in which it can match are followed at once, a byte at a time: work is at most
 * pattern × text. Trying one way after the other, as a RegExp does, takes years for a dozen stars.
 */
import type { ByteString } from '../../core/model.ts';

/** One step of a pattern: which bytes it takes, and whether it takes one of them, or any number. */
export interface Element {
  /** By byte: 1 when it is taken. */
  readonly accepts: Uint8Array;
  readonly repeats: boolean;
}

const SLASH = 0x2f;
const BYTES = 256;

function bytes(isTaken: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: BYTES }, (_, byte) => (isTaken(byte) ? 1 : 0));
}

const ANY = bytes(() => true);
const NO_SLASH = bytes((byte) => byte !== SLASH);
/** By byte, made as they are needed. */
const LITERALS: Element[] = [];

const ANY_BYTES: Element = { accepts: ANY, repeats: true };
const ANY_NAME: Element = { accepts: NO_SLASH, repeats: true };
const ANY_OF_NAME: Element = { accepts: NO_SLASH, repeats: false };
/** A set without its end, an unknown class, a backslash at the end: no text matches. */
const MALFORMED: Element = { accepts: bytes(() => false), repeats: false };

/** By ASCII, whatever the locale: bytes from 0x80 on are in none of them. */
const CLASSES: ReadonlyMap<string, RegExp> = new Map([
  ['alnum', /[0-9A-Za-z]/],
  ['alpha', /[A-Za-z]/],
  ['blank', /[ \t]/],
  ['cntrl', /[^ -\xff]|\x7f/],
  ['digit', /[0-9]/],
  ['graph', /[!-~]/],
  ['lower', /[a-z]/],
  ['print', /[ -~]/],
  ['punct', /[!-/:-@[-`{-~]/],
  ['space', /[\t-\r ]/],
  ['upper', /[A-Z]/],
  ['xdigit', /[0-9A-Fa-f]/],
]);

/** `*` stops at a slash, `**` does not; `?` and `[…]` take one byte that is no slash; a backslash makes the next byte an ordinary one. */
export function parsePattern(pattern: ByteString): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < pattern.length; ) {
    const byte = pattern[at];
    if (byte === '*') {
      const from = at;
      while (pattern[at] === '*') at++;
      elements.push(at - from > 1 ? ANY_BYTES : ANY_NAME);
    } else if (byte === '[') {
      const set = parseSet(pattern, at);
      if (set === undefined) return [MALFORMED];
      elements.push({ accepts: set.accepts, repeats: false });
      at = set.end;
    } else {
      if (byte === '\\') at++;
      if (at === pattern.length) return [MALFORMED];
      elements.push(byte === '?' ? ANY_OF_NAME : literal(pattern.charCodeAt(at)));
      at++;
    }
  }
  return elements;
}

function literal(one: number): Element {
  LITERALS[one] ??= { accepts: bytes((byte) => byte === one), repeats: false };
  return LITERALS[one];
}

/** @param from of its bracket @returns undefined when it is malformed */
function parseSet(pattern: ByteString, from: number): { readonly accepts: Uint8Array; readonly end: number } | undefined {
  let at = from + 1;
  const isNegated = pattern[at] === '!' || pattern[at] === '^';
  if (isNegated) at++;
  const taken = new Uint8Array(BYTES);
  /** What a range would begin with. */
  let before: number | undefined;
  // A bracket that comes first does not end the set.
  for (const first = at; at === first || pattern[at] !== ']'; at++) {
    if (at >= pattern.length) return undefined;
    const name = pattern.startsWith('[:', at) ? /^[^\]]*(?=:\])/.exec(pattern.slice(at + 2))?.[0] : undefined;
    if (name !== undefined) {
      const isIn = CLASSES.get(name);
      if (isIn === undefined) return undefined;
      for (let byte = 0; byte < BYTES; byte++) if (isIn.test(String.fromCharCode(byte))) taken[byte] = 1;
      at += name.length + 3;
      before = undefined;
      continue;
    }
    const isRange = pattern[at] === '-' && before !== undefined && at + 1 < pattern.length && pattern[at + 1] !== ']';
    if (isRange) at++;
    if (pattern[at] === '\\') at++;
    if (at === pattern.length) return undefined;
    const byte = pattern.charCodeAt(at);
    taken.fill(1, isRange ? before : byte, byte + 1);
    before = isRange ? undefined : byte;
  }
  return { accepts: bytes((byte) => byte !== SLASH && (taken[byte] === 1) !== isNegated), end: at + 1 };
}

/** Not for two texts at once. */
export class Matcher {
  readonly #elements: readonly Element[];
  /** How many elements stand after the last that repeats: they take the last bytes of a text. */
  readonly #last: number;
  /** How many elements are behind each way that is still open, and those after the byte at hand. */
  #open: Uint32Array;
  #next: Uint32Array;
  /** By number of elements: the place in the text where such a way was last noted. */
  readonly #noted: Float64Array;
  /** How many ways `#next` has. */
  #ways = 0;

  constructor(elements: readonly Element[]) {
    this.#elements = elements;
    this.#last = elements.length - 1 - elements.findLastIndex(({ repeats }) => repeats);
    this.#open = new Uint32Array(elements.length + 1);
    this.#next = new Uint32Array(elements.length + 1);
    this.#noted = new Float64Array(elements.length + 1);
  }

  /** @param from where in the text the match begins @param anywhere it may also begin after any slash */
  matches(text: ByteString, from: number, anywhere: boolean): boolean {
    if (!this.#endsAlike(text, from)) return false;
    const elements = this.#elements;
    this.#noted.fill(-1);
    this.#ways = 0;
    this.#note(0, from);
    for (let at = from; at < text.length; at++) {
      const ways = this.#ways;
      if (ways === 0 && !anywhere) return false;
      [this.#open, this.#next, this.#ways] = [this.#next, this.#open, 0];
      const byte = text.charCodeAt(at);
      for (let i = 0; i < ways; i++) {
        const behind = this.#open[i] as number;
        if (behind === elements.length) continue;
        const element = elements[behind] as Element;
        if (element.accepts[byte] === 1) this.#note(element.repeats ? behind : behind + 1, at + 1);
      }
      if (anywhere && byte === SLASH) this.#note(0, at + 1);
    }
    return this.#noted[elements.length] === text.length;
  }

  /** Most texts that do not match are told by their end. */
  #endsAlike(text: ByteString, from: number): boolean {
    if (text.length - from < this.#last) return false;
    for (let i = 1; i <= this.#last; i++) {
      if (this.#elements[this.#elements.length - i]?.accepts[text.charCodeAt(text.length - i)] !== 1) return false;
    }
    return true;
  }

  /** A way on which so many elements are behind; and where the next one may take nothing, those on which it did. */
  #note(behind: number, at: number): void {
    for (let to = behind; this.#noted[to] !== at; to++) {
      this.#noted[to] = at;
      this.#next[this.#ways++] = to;
      if (this.#elements[to]?.repeats !== true) return;
    }
  }
}
