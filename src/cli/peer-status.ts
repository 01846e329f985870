/** The peers of a home with their space, as `status` and `peers ls` tell of them. */
import { formatSize } from '../home/sizes.ts';
import type { Context } from './context.ts';
import type { Result } from './results.ts';
import { table } from './table.ts';
import { peerPath, type Session } from './wire.ts';

export type PeerStatus = Extract<Result, { type: 'peer-status' }>;

export async function peerStatuses({ home }: Context, { config, peers, index }: Session): Promise<PeerStatus[]> {
  const shards = new Map<string, number>();
  for (const shard of index.shards()) {
    for (const name of shard.peers) shards.set(name, (shards.get(name) ?? 0) + 1);
  }
  return await Promise.all(
    config.peers.map(async (peer): Promise<PeerStatus> => {
      const { name, kind, layout, tags, capacity, reserve = 0, weight = 1, drained = false } = peer;
      const known = {
        type: 'peer-status' as const,
        name,
        kind,
        path: peerPath(home, peer),
        layout,
        tags,
        capacity: capacity ?? null,
        reserve,
        weight,
        drained,
        shards: shards.get(name) ?? 0,
      };
      try {
        const metric = await peers.get(name)?.metric();
        return { ...known, usedBytes: metric?.usedBytes ?? 0, freeBytes: metric?.freeBytes ?? 0 };
      } catch (error) {
        return { ...known, error: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}

/** @param long with kind, layout, tags and path */
export function peerTable(statuses: readonly PeerStatus[], long: boolean): string[] {
  const head = ['PEER', 'SHARDS', 'USED', 'FREE', 'FILL', 'CAPACITY', ...(long ? ['KIND', 'LAYOUT', 'TAGS', 'PATH'] : [])];
  const rows = statuses.map((peer) => [
    peer.drained ? `${peer.name} (drained)` : peer.name,
    String(peer.shards),
    peer.usedBytes === undefined ? '?' : formatSize(peer.usedBytes),
    peer.freeBytes === undefined ? '?' : formatSize(peer.freeBytes),
    fillOf(peer),
    peer.capacity === null ? '-' : formatSize(peer.capacity),
    ...(long ? [peer.kind, peer.layout, tagText(peer.tags), peer.path] : []),
  ]);
  return [...table([head, ...rows], 'lrrrrrllll'), ...statuses.flatMap(({ error }) => (error === undefined ? [] : [`! ${error}`]))];
}

/** Part of what shards may take that they do take. */
function fillOf({ usedBytes, freeBytes }: PeerStatus): string {
  if (usedBytes === undefined || freeBytes === undefined) return '?';
  return usedBytes + freeBytes === 0 ? '-' : `${Math.round((usedBytes / (usedBytes + freeBytes)) * 100)}%`;
}

function tagText(tags: PeerStatus['tags']): string {
  return (
    Object.entries(tags)
      .map(([key, value]) => `${key}=${value}`)
      .join(',') || '-'
  );
}
