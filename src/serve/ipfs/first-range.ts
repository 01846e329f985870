/** Of several ranges the first one is answered, as every stock gateway does it: IPFS clients do not read multipart answers. */
import type { RequestConditions } from '../paths/conditions.ts';

export function firstRange(headers: Readonly<Record<string, string | undefined>>): RequestConditions {
  const { range } = headers;
  return range?.includes(',') ? { ...headers, range: range.slice(0, range.indexOf(',')) } : headers;
}
