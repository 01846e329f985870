/** Small indexes that are read whole. */
import { UnreadableIndex } from '../claims/claim.ts';

/** @throws UnreadableIndex when there are more bytes than that */
export async function wholeBytes(bytes: AsyncIterable<Uint8Array>, most: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of bytes) {
    length += part.length;
    if (length > most) throw new UnreadableIndex(`is longer than ${most / 1024 ** 2} MiB`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Packuments of 30 MB, the largest of the public registry, have fewer than a million values, and no more than ten in one another. */
const MOST_VALUES = 5_000_000;
const MOST_DEEP = 100;

/** The object that a JSON text is. @throws UnreadableIndex when it is none, or would take more memory than any index */
export function jsonObject(text: Buffer): Readonly<Record<string, unknown>> {
  assertModest(text);
  try {
    const value: unknown = JSON.parse(text.toString('utf8'));
    if (isObject(value)) return value;
  } catch {
    // Told of below.
  }
  throw new UnreadableIndex('is no JSON object');
}

/**
 * A stranger's 128 MiB of brackets would be 5 GB of objects, so values are counted before anything is made of them. Text that is no JSON
 * may be counted wrongly; it ends there or in the parser.
 * @throws UnreadableIndex
 */
function assertModest(text: Buffer): void {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at];
    if (byte === QUOTE) at = endOfString(text, at);
    else if (byte === CLOSED_OBJECT || byte === CLOSED_ARRAY) depth--;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      values++;
      if (++depth > MOST_DEEP) throw new UnreadableIndex(`has more than ${MOST_DEEP} objects in one another`);
    } else if (byte === COMMA) values++;
    if (values > MOST_VALUES) throw new UnreadableIndex(`has more than ${MOST_VALUES.toLocaleString('en-US')} values`);
  }
}

const [QUOTE, BACKSLASH, COMMA, OPEN_OBJECT, CLOSED_OBJECT, OPEN_ARRAY, CLOSED_ARRAY] = Buffer.from('"\\,{}[]');

/** @returns where the quote is that ends a string, or the end of the text */
function endOfString(text: Buffer, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return at;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
