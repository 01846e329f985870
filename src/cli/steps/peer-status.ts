/** The peers of a home with their space, as `status` and `peers ls` tell of them. */
import { displayUrl } from '../../core/display.ts';
import { messageOf } from '../../core/errors.ts';
import type { PeerConfig } from '../../home/config.ts';
import type { HomePaths } from '../../home/home.ts';
import { formatSize } from '../../home/sizes.ts';
import type { Context } from '../command-line/context.ts';
import { folded, MOST_LINES } from '../reporter/folded.ts';
import type { Result } from '../results/results.ts';
import { table } from '../results/table.ts';
import { settingsOf } from '../session/peer-settings.ts';
import { peerPath } from '../session/peers.ts';
import type { Session } from '../session/session.ts';

export type PeerStatus = Extract<Result, { type: 'peer-status' }>;

export async function peerStatuses({ home }: Context, { config, peers, index }: Session): Promise<PeerStatus[]> {
  const shards = new Map<string, number>();
  for (const shard of index.shards()) {
    for (const name of shard.peers) shards.set(name, (shards.get(name) ?? 0) + 1);
  }
  return await Promise.all(
    [...peers.values()].map(async (peer): Promise<PeerStatus> => {
      const { name, kind } = peer;
      const its = settingsOf(config, name);
      const known = () => ({
        type: 'peer-status' as const,
        name,
        kind,
        ...whereOf(home, its, name),
        // Read when it is asked for: a member of a Cluster has tags of its own, which are known once it has answered.
        tags: peer.tags,
        capacity: its.capacity ?? null,
        reserve: its.reserve ?? 0,
        weight: its.weight ?? 1,
        drained: peer.drained === true,
        shards: shards.get(name) ?? 0,
      });
      try {
        const metric = await peer.metric();
        const warnings = (await peer.warnings?.()) ?? [];
        return {
          ...known(),
          usedBytes: metric.usedBytes,
          freeBytes: metric.freeBytes,
          ...(metric.disk === undefined ? {} : { disk: metric.disk }),
          ...(warnings.length === 0 ? {} : { warnings }),
        };
      } catch (error) {
        return { ...known(), error: messageOf(error) };
      }
    }),
  );
}

function whereOf(home: HomePaths, peer: PeerConfig, name: string) {
  if (peer.kind === 'local') return { path: peerPath(home, peer), layout: peer.layout };
  const id = peer.kind === 'kubo' ? peer.id : peer.members.find((member) => member.name === name)?.id;
  return {
    url: displayUrl(peer.url),
    ...(id === undefined ? {} : { id }),
    ...(peer.gateway === undefined ? {} : { gateway: peer.gateway }),
  };
}

export interface PeerTableForm {
  /** Every peer, with kind, tags and where it is; and where there is room, its layout. */
  readonly isLong: boolean;
  /** As of `table`. */
  readonly columns: number | undefined;
}

/** Many peers are folded, without those that people should look at. */
export function peerTable(all: readonly PeerStatus[], { isLong, columns }: PeerTableForm): string[] {
  const { shown, more } = folded(all, MOST_LINES, isLong ? undefined : columns);
  const statuses = all.filter((peer) => shown.includes(peer) || (more > 0 && isNotable(peer)));
  const left = all.length - statuses.length;
  const hasLayout = columns === undefined;
  const head = [
    'PEER',
    'SHARDS',
    'USED',
    'FREE',
    'FILL',
    'CAPACITY',
    ...(isLong ? ['KIND', ...(hasLayout ? ['LAYOUT'] : []), 'TAGS', 'WHERE'] : []),
  ];
  const rows = statuses.map((peer) => [
    peer.drained ? `${peer.name} (drained)` : peer.name,
    String(peer.shards),
    peer.usedBytes === undefined ? '?' : formatSize(peer.usedBytes),
    peer.freeBytes === undefined ? '?' : formatSize(peer.freeBytes),
    fillOf(peer),
    peer.capacity === null ? '-' : formatSize(peer.capacity),
    ...(isLong ? [peer.kind, ...(hasLayout ? [peer.layout ?? '-'] : []), tagText(peer.tags), peer.path ?? peer.url ?? '-'] : []),
  ]);
  const notes = statuses.flatMap(({ name, error, warnings = [] }) => [
    ...(error === undefined ? [] : [`! ${error}`]),
    ...warnings.map((warning) => `! peer "${name}": ${warning}`),
  ]);
  const rest = left === 0 ? [] : [`+${left} more peers; --wide shows all`];
  return [...table([head, ...rows], `lrrrrr${'l'.repeat(head.length - 6)}`, columns), ...rest, ...notes];
}

function isNotable(peer: PeerStatus): boolean {
  return peer.error !== undefined || peer.warnings !== undefined || peer.drained || isFull(peer);
}

/** Nine tenths of what it may take are taken. */
function isFull({ usedBytes = 0, freeBytes = 0 }: PeerStatus): boolean {
  return usedBytes > 0 && usedBytes >= 9 * freeBytes;
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
