/** What a home writes about itself on a peer, beside its marks, so that people who find the marks know whose they are. */
import type { Owner } from '../core/model.ts';
import type { PeerOwner } from './peer.ts';

export type HomeDescription = Omit<PeerOwner, 'id'>;

/** A description that is older than this is written again, with the time of the run in `seen`. */
const STALE_MS = 24 * 60 * 60 * 1000;
const HOME_ID = /^[0-9a-f]{12}$/;

export function isHomeId(text: string): boolean {
  return HOME_ID.test(text);
}

/** @throws Error for any other text, which would become part of a path or of a CID */
export function assertHomeId(id: string): void {
  if (!isHomeId(id)) throw new Error(`"${id}" is not the ID of a home`);
}

/** Whether the description on a peer is the home's own, and young enough to stay. @param now milliseconds since 1970 */
export function isUpToDate(description: HomeDescription, { host, path }: Owner, now: number): boolean {
  const isFresh = Math.abs(now - Date.parse(description.seen ?? '')) < STALE_MS;
  return isFresh && description.host === host && description.path === path;
}

export function descriptionText({ host, path }: Owner, now: number): string {
  return JSON.stringify({ host, path, seen: new Date(now).toISOString() });
}

/** Whoever shares the peer may have written anything there. What cannot be read is left out: only people read a description. */
export function parseDescription(text: string): HomeDescription {
  try {
    const said = JSON.parse(text) as Record<string, unknown>;
    const texts = (['host', 'path', 'seen'] as const).filter((key) => typeof said[key] === 'string');
    return Object.fromEntries(texts.map((key) => [key, said[key]]));
  } catch {
    return {};
  }
}
