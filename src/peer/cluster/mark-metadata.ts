/**
 * Which home counts on a shard on which members: in the metadata of the shard's pin, a key for each home, with the IDs of the members.
 * Metadata are replaced as a whole with each change of a pin, so whoever changes one carries everybody's keys over.
 */
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { type Owner, RAW } from '../../core/model.ts';
import type { Mark, PeerOwner } from '../peer.ts';
import { isShardName } from '../shard-name.ts';
import type { ClusterApi } from './api.ts';

type Metadata = Readonly<Record<string, string>>;

const MARK = 'shardctl-owner-';
const HOME = 'shardctl-home';
const IDENTITY = 0;
/** Who is here is written down anew when it is older than this. */
const STALE_MS = 24 * 60 * 60 * 1000;
/** Stands for all members, in a Cluster that is one peer. */
export const ALL = '*';

/** IDs of the members that a home counts on. */
export function membersOf(metadata: Metadata, owner: string): string[] {
  return metadata[MARK + owner]?.split(',').filter(Boolean) ?? [];
}

export function withMark(metadata: Metadata, owner: string, members: readonly string[]): Metadata {
  return { ...metadata, [MARK + owner]: [...new Set([...membersOf(metadata, owner), ...members])].sort().join(',') };
}

export function withoutMark(metadata: Metadata, owner: string, member: string): Metadata {
  const { [MARK + owner]: _, ...others } = metadata;
  const left = membersOf(metadata, owner).filter((id) => id !== member);
  return left.length === 0 ? others : withMark(others, owner, left);
}

/** Without what a home has said of these members: they lose the shard, and it counts on others now. */
export function withoutMarks(metadata: Metadata, owner: string, members: readonly string[]): Metadata {
  return members.reduce((left, member) => withoutMark(left, owner, member), metadata);
}

/** Homes that count on the shard. */
export function ownersOf(metadata: Metadata): string[] {
  return Object.keys(metadata).flatMap((key) => (key.startsWith(MARK) ? [key.slice(MARK.length)] : []));
}

/** Whether any home counts on the shard on this member. */
export function isMarked(metadata: Metadata, member: string): boolean {
  return ownersOf(metadata).some((owner) => membersOf(metadata, owner).some((id) => id === member || id === ALL || member === ALL));
}

/** Everybody's marks on one member; on any, if it is `ALL`. */
export async function* marksOn(api: ClusterApi, member: string): AsyncGenerator<Mark> {
  for await (const { cid, metadata } of api.pins()) {
    if (!isShardName(cid)) continue;
    for (const owner of ownersOf(metadata)) if (isMarked({ [MARK + owner]: metadata[MARK + owner] ?? '' }, member)) yield { cid, owner };
  }
}

/** The homes whose marks these are, with what each has said of itself. */
export async function ownersIn(api: ClusterApi, marks: AsyncIterable<Mark>): Promise<readonly PeerOwner[]> {
  const ids = new Set<string>();
  for await (const { owner } of marks) ids.add(owner);
  const owners: PeerOwner[] = [];
  for (const id of ids) owners.push({ ...described((await api.pin(homeOf(id)))?.metadata ?? {}), id });
  return owners;
}

/** Says who this home is, for people: in the metadata of a pin of nothing but its ID. */
export async function describe(api: ClusterApi, { id, host, path }: Owner, now: number): Promise<void> {
  const said = described((await api.pin(homeOf(id)))?.metadata ?? {});
  const isFresh = Math.abs(now - Date.parse(said.seen ?? '')) < STALE_MS;
  if (isFresh && said.host === host && said.path === path) return;
  const metadata = { [HOME]: JSON.stringify({ host, path, seen: new Date(now).toISOString() }) };
  await api.pinDirect(homeOf(id), { name: `shardctl home ${id}`, metadata, members: 'everywhere' });
}

function homeOf(id: string): string {
  return CID.createV1(RAW, createDigest(IDENTITY, Buffer.from(`shardctl ${id}`))).toString();
}

function described(metadata: Metadata): Omit<PeerOwner, 'id'> {
  try {
    const said = JSON.parse(metadata[HOME] ?? '') as Record<string, unknown>;
    return Object.fromEntries(['host', 'path', 'seen'].flatMap((key) => (typeof said[key] === 'string' ? [[key, said[key]]] : [])));
  } catch {
    // For people alone.
    return {};
  }
}
