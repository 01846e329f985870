/** The peers of a home with their space, as `status` and `peers ls` tell of them. */
import { displayUrl } from '../display.ts';
import type { PeerConfig } from '../home/config.ts';
import type { HomePaths } from '../home/home.ts';
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
      const { name, kind, tags, capacity } = peer;
      const known = {
        type: 'peer-status' as const,
        name,
        kind,
        ...whereOf(home, peer),
        tags,
        capacity: capacity ?? null,
        shards: shards.get(name) ?? 0,
      };
      try {
        const metric = await peers.get(name)?.metric();
        const warnings = (await peers.get(name)?.warnings?.()) ?? [];
        return {
          ...known,
          usedBytes: metric?.usedBytes ?? 0,
          freeBytes: metric?.freeBytes ?? 0,
          ...(warnings.length === 0 ? {} : { warnings }),
        };
      } catch (error) {
        return { ...known, error: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}

function whereOf(home: HomePaths, peer: PeerConfig) {
  if (peer.kind === 'local') return { path: peerPath(home, peer), layout: peer.layout };
  return { url: displayUrl(peer.url), id: peer.id, ...(peer.gateway === undefined ? {} : { gateway: peer.gateway }) };
}

/** @param long with kind, layout, tags and where it is */
export function peerTable(statuses: readonly PeerStatus[], long: boolean): string[] {
  const head = ['PEER', 'SHARDS', 'USED', 'FREE', 'CAPACITY', ...(long ? ['KIND', 'LAYOUT', 'TAGS', 'WHERE'] : [])];
  const rows = statuses.map((peer) => [
    peer.name,
    String(peer.shards),
    peer.usedBytes === undefined ? '?' : formatSize(peer.usedBytes),
    peer.freeBytes === undefined ? '?' : formatSize(peer.freeBytes),
    peer.capacity === null ? '-' : formatSize(peer.capacity),
    ...(long ? [peer.kind, peer.layout ?? '-', tagText(peer.tags), peer.path ?? peer.url ?? '-'] : []),
  ]);
  const notes = statuses.flatMap(({ name, error, warnings = [] }) => [
    ...(error === undefined ? [] : [`! ${error}`]),
    ...warnings.map((warning) => `! peer "${name}": ${warning}`),
  ]);
  return [...table([head, ...rows], 'lrrrrllll'), ...notes];
}

function tagText(tags: PeerStatus['tags']): string {
  return (
    Object.entries(tags)
      .map(([key, value]) => `${key}=${value}`)
      .join(',') || '-'
  );
}
