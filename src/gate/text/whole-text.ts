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

/** The object that a JSON text is. @throws UnreadableIndex when it is none */
export function jsonObject(text: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text.toString('utf8'));
    if (isObject(value)) return value;
  } catch {
    // Told of below.
  }
  throw new UnreadableIndex('is no JSON object');
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
