/**
 * Which home counts on a shard on which members: the metadata of the shard's pin have a key for each home, with the IDs of the members.
 * A change of a pin replaces its metadata as a whole, so whoever changes one carries over the keys of all homes.
 */
import type { Owner } from '../../core/model.ts';
import { descriptionText, isUpToDate, parseDescription } from '../home-description.ts';
import { identityCid } from '../identity-cid.ts';
import type { Mark, PeerOwner } from '../peer.ts';
import { isShardName } from '../shard-name.ts';
import type { ClusterApi } from './api.ts';

type Metadata = Readonly<Record<string, string>>;

const MARK = 'shardctl-owner-';
const HOME = 'shardctl-home';
/** Stands for all members where the whole Cluster is one peer. */
export const ALL = '*';

/** IDs of the members on which a home counts. */
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

/** Without a home's marks for members that lose the shard: the home counts on the members that replace them. */
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

/** The marks of all homes on one member; on any member if it is `ALL`. */
export async function* marksOn(api: ClusterApi, member: string): AsyncGenerator<Mark> {
  for await (const { cid, metadata } of api.pins()) {
    if (!isShardName(cid)) continue;
    for (const owner of ownersOf(metadata)) if (isMarked({ [MARK + owner]: metadata[MARK + owner] ?? '' }, member)) yield { cid, owner };
  }
}

/** The homes that have made these marks, each with its description. */
export async function ownersIn(api: ClusterApi, marks: AsyncIterable<Mark>): Promise<readonly PeerOwner[]> {
  const ids = new Set<string>();
  for await (const { owner } of marks) ids.add(owner);
  const owners: PeerOwner[] = [];
  for (const id of ids) owners.push({ ...parseDescription((await api.pin(homeOf(id)))?.metadata[HOME] ?? ''), id });
  return owners;
}

/** Writes the description of this home, for people, into the metadata of a pin that stands for the home's ID. */
export async function describe(api: ClusterApi, owner: Owner, now: number): Promise<void> {
  const { id } = owner;
  if (isUpToDate(parseDescription((await api.pin(homeOf(id)))?.metadata[HOME] ?? ''), owner, now)) return;
  const metadata = { [HOME]: descriptionText(owner, now) };
  await api.pinDirect(homeOf(id), { name: `shardctl home ${id}`, metadata, members: 'everywhere' });
}

function homeOf(id: string): string {
  return identityCid(Buffer.from(`shardctl ${id}`));
}
