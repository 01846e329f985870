/**
 * Paragraphs of a text, as `Packages` has them: cut out one by one where two versions of it differ, and one stretch of text where both have
 * the same. To judge an update of 50 of 5,000 packages takes 6 ms of processor time less so, of 75 (medians of 16 pairs, busy machine).
 */
import type { ByteString } from '../../core/model.ts';
import type { Cursor, Part } from '../claims/units.ts';

/** Empty lines, which may have blanks. */
export const BETWEEN = /\n(?:[ \t\r]*\n)+/;
/** What nearly always is between two paragraphs; where there is something else, they are cut apart by BETWEEN. */
const BREAK = '\n\n';
/** Characters that are compared at once; where they differ, half as many, and so on. */
const COMPARED = 16 * 1024;

/** Whole paragraphs. */
export class Paragraphs implements Part<string> {
  readonly text: ByteString;

  constructor(text: ByteString) {
    this.text = text;
  }

  [Symbol.iterator](): Iterator<string> {
    return paragraphsIn(this.text)[Symbol.iterator]();
  }

  readonly cursor = (): ParagraphCursor => new ParagraphCursor(this.text);
}

class ParagraphCursor implements Cursor<string> {
  readonly #text: ByteString;
  /** What comes before is cut out, and after it whole paragraphs come. */
  #at = 0;
  /** What was cut out last, where it began, and how much of it was passed. */
  #cut: readonly string[] = [];
  #cutFrom = 0;
  #passed = 0;

  constructor(text: ByteString) {
    this.#text = text;
  }

  get hasNext(): boolean {
    while (this.#passed === this.#cut.length && this.#at < this.#text.length) this.#cutNext();
    return this.#passed < this.#cut.length;
  }

  peek(): string {
    return this.hasNext ? (this.#cut[this.#passed] as string) : '';
  }

  pass(): void {
    this.#passed++;
  }

  takeCommon(other: Cursor<string>): Paragraphs | undefined {
    if (!(other instanceof ParagraphCursor) || !this.#putBack() || !other.#putBack()) return undefined;
    const [from, text] = [this.#at, this.#text];
    const same = commonLength(text, from, other.#text, other.#at);
    if (same < BREAK.length) return undefined;
    const areAtEnd = from + same === text.length && other.#at + same === other.#text.length;
    // A paragraph that is the same so far may go on.
    const last = text.lastIndexOf(BREAK, from + same - BREAK.length);
    const end = areAtEnd ? text.length : last < 0 ? from : last + BREAK.length;
    if (end <= from) return undefined;
    this.#at = end;
    other.#at += end - from;
    return new Paragraphs(text.slice(from, end));
  }

  /** What was cut out, and was not passed, goes back. @returns false where a part of it was passed */
  #putBack(): boolean {
    if (this.#passed < this.#cut.length) {
      if (this.#passed > 0) return false;
      this.#at = this.#cutFrom;
    }
    this.#cut = [];
    this.#passed = 0;
    return true;
  }

  #cutNext(): void {
    const found = this.#text.indexOf(BREAK, this.#at);
    const end = found < 0 ? this.#text.length : found + BREAK.length;
    this.#cutFrom = this.#at;
    this.#at = end;
    this.#cut = paragraphsIn(this.#text.slice(this.#cutFrom, end));
    this.#passed = 0;
  }
}

/** @param text that begins and ends where paragraphs do */
function paragraphsIn(text: ByteString): readonly string[] {
  // Before the first one there may be empty lines, too.
  return `${BREAK}${text}`.split(BETWEEN).filter((paragraph) => paragraph !== '');
}

/** How many characters are the same. */
function commonLength(one: string, from: number, other: string, otherFrom: number): number {
  const most = Math.min(one.length - from, other.length - otherFrom);
  let same = 0;
  let step = COMPARED;
  while (same < most) {
    const length = Math.min(step, most - same);
    const isSame = one.slice(from + same, from + same + length) === other.slice(otherFrom + same, otherFrom + same + length);
    if (isSame) same += length;
    else if (length === 1) break;
    else step = length >> 1;
  }
  return same;
}
