/** Multiaddrs as daemons write them. */

/** @param addresses as an answer has them: a list of text, or whatever else came @returns them without the `/p2p/ID` at their end */
export function withoutId(addresses: unknown): string[] {
  if (!Array.isArray(addresses)) return [];
  const texts = addresses.filter((address): address is string => typeof address === 'string' && address.startsWith('/'));
  // An address with a relay in it has the relay's ID in the middle.
  return [...new Set(texts.map((address) => address.replace(/\/p2p\/[^/]+$/, '')))];
}
