/** Changes to which members have a shard, without touching the pins of the others. */
import { ShardctlError } from '../../core/errors.ts';
import { bufferBody } from '../http/car-body.ts';
import { holdersOf, type Pin } from './api-answers.ts';
import type { Cluster } from './cluster.ts';
import { ALL, isMarked, membersOf, ownersOf, withMark, withoutMark, withoutMarks } from './mark-metadata.ts';
import type { MemberState } from './metrics.ts';
import { countPinned, pinnedOnSome } from './pin-confirmation.ts';
import { pointerCar } from './pointer-car.ts';

/** Longest wait until a pin that was made again with other metadata is confirmed again. Its blocks are there all the while. */
const REPIN_MS = 10_000;

/** A pin as it is to be. */
export interface WantedPin {
  readonly cid: string;
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly members: readonly string[] | 'everywhere';
}

export function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

/** The Cluster allocates nothing to a member whose free space it does not know, and drops such a holder from a pin that is made again. */
export function canBeAllocated(state: MemberState | undefined): boolean {
  return state?.alive === true && state.freeBytes !== undefined;
}

/**
 * The holders that stay when the pin is made again: the Cluster drops those that are silent.
 * @throws ShardctlError `NO_SPACE` when a holder that answers would lose the shard, because it is full
 */
export async function keepable(cluster: Cluster, cid: string, holders: readonly string[]): Promise<string[]> {
  const states = await cluster.metrics.all();
  const kept: string[] = [];
  let full: string | undefined;
  for (const id of holders) {
    if (states.get(id)?.alive !== true) continue;
    // A member without a metric of its space is full, or its Kubo is dead. Our own are known to be alive here; others are asked.
    if (!canBeAllocated(states.get(id)) && !(await cluster.isWell(id))) continue;
    kept.push(id);
    if (!canBeAllocated(states.get(id))) full ??= id;
  }
  if (full === undefined) return kept;
  throw new ShardctlError(
    'NO_SPACE',
    `peer "${cluster.nameOf(full)}" holds ${cid} and is full: its Cluster would take the shard from it with this change`,
    {
      hint: 'free some space on it, or raise the StorageMax of its Kubo, then run the same command again',
      retryable: true,
    },
  );
}

/**
 * Sets the members that have the shard, and changes no other pin. Must be called with the lock of the CID.
 * @returns members that the Cluster did not take. Those that it took in their place are dropped again at once
 */
export async function setPin(cluster: Cluster, { cid, name, metadata, members }: WantedPin, signal?: AbortSignal): Promise<string[]> {
  const { api } = cluster;
  const options = { name, metadata, what: `pinning ${cid}`, repeatable: true, signal };
  const chosen = await api.add(bufferBody(pointerCar(cid)), { ...options, members });
  if (members === 'everywhere' || sameMembers(chosen, members)) return [];
  const kept = members.filter((id) => chosen.includes(id));
  if (kept.length === 0) await api.unpin(cid);
  else await api.add(bufferBody(pointerCar(cid)), { ...options, members: kept });
  return members.filter((id) => !kept.includes(id));
}

/** Has one more member pin the shard. The member fetches it from the others, or finds it in its datastore. One that should have it already tries again. */
export async function addPin(cluster: Cluster, shard: Omit<WantedPin, 'members'>, id: string, signal: AbortSignal): Promise<void> {
  const { api, metrics, usage, pinMutex } = cluster;
  await pinMutex.withLock(shard.cid, async () => {
    const pin = await api.pin(shard.cid);
    const holders = holdersOf(pin);
    if (holders === 'everywhere' || holders.includes(id)) {
      await api.recover(shard.cid);
      return await cluster.recoverAll();
    }
    const state = await metrics.of(id);
    if (!canBeAllocated(state)) throw cannotTake(cluster, id, state);
    const members = [...(await keepable(cluster, shard.cid, holders)), id];
    const { id: owner } = cluster.options.owner;
    const dropped = holders.filter((holder) => !members.includes(holder));
    const metadata = withMark(withoutMarks({ ...pin?.metadata, ...shard.metadata }, owner, dropped), owner, [id]);
    if ((await setPin(cluster, { ...shard, ...nameOf(pin), metadata, members }, signal)).includes(id)) throw cannotTake(cluster, id);
    await usage.changed(pin, { allocations: members, metadata });
  });
}

/** A pin keeps the name that it has. */
function nameOf(pin: Pin | undefined): { name?: string } {
  return pin === undefined ? {} : { name: pin.name };
}

/** @param state the member, where that is why it was not asked; without it the Cluster was asked and has taken another */
export function cannotTake(cluster: Cluster, id: string, state?: MemberState): ShardctlError {
  return new ShardctlError('TOO_FEW_PEERS', `the Cluster allocates nothing to peer "${cluster.nameOf(id)}" now: ${whyNot(state)}`, {
    hint: 'the member is down, full, or has only just started',
    retryable: true,
  });
}

function whyNot(state: MemberState | undefined): string {
  if (state === undefined) return 'it has no valid metrics of it';
  if (state.alive) return 'it has no valid metric of its free space';
  return state.ailment?.why ?? 'it has no valid ping of it';
}

/**
 * Marks the shard as this home's own on a member, or on all of them.
 * @returns false when there is no pin that could be marked @throws ShardctlError when a holder would lose the shard by this
 */
export async function markPin(cluster: Cluster, cid: string, member: string): Promise<boolean> {
  const { id: owner } = cluster.options.owner;
  return await cluster.pinMutex.withLock(cid, async () => {
    const pin = await cluster.api.pin(cid);
    if (pin === undefined || pin.mode === 'direct') return false;
    if (!membersOf(pin.metadata, owner).includes(member)) await setMetadata(cluster, pin, withMark(pin.metadata, owner, [member]));
    return true;
  });
}

async function setMetadata(cluster: Cluster, pin: Pin, metadata: WantedPin['metadata']): Promise<void> {
  const { cid, name } = pin;
  const { api, now } = cluster;
  const members = holdersOf(pin);
  if (members !== 'everywhere') await assertKept(cluster, cid, members);
  // The Cluster would wait for the member that ails, so the statuses are not asked for then.
  const holders = (await cluster.ails()) ? 0 : countPinned(await api.status(cid));
  await setPin(cluster, { cid, name, metadata, members });
  if (holders === 0) return;
  // A pin that is made again is `unexpectedly_unpinned` for a moment. Waits for its end, or the next look at the shard would find it lost.
  await pinnedOnSome(api, cid, holders, { stallMs: REPIN_MS, now }).catch((error: unknown) => {
    // If a member has lost the shard, it is marked all the same.
    if (!(error instanceof ShardctlError)) throw error;
  });
}

/** @throws ShardctlError when one of the holders would lose the shard with a change of its pin */
async function assertKept(cluster: Cluster, cid: string, holders: readonly string[]): Promise<void> {
  const kept = await keepable(cluster, cid, holders);
  const silent = holders.find((holder) => !kept.includes(holder));
  if (silent === undefined) return;
  throw new ShardctlError(
    'TOO_FEW_PEERS',
    `peer "${cluster.nameOf(silent)}" holds ${cid} too and does not answer: its Cluster would take the shard from it as well`,
    {
      hint: 'run the same command again when it answers',
      retryable: true,
    },
  );
}

/**
 * Takes a home's mark for one member from the shard, and the shard from the member unless another home counts on it there. A shard that is
 * not there is a success. @throws ShardctlError when another holder would lose it too
 */
export async function dropPin(cluster: Cluster, cid: string, id: string, owner: string): Promise<'removed' | 'kept'> {
  const { api, metrics, usage, inventories } = cluster;
  return await cluster.pinMutex.withLock(cid, async () => {
    const pin = await api.pin(cid);
    if (pin === undefined || pin.mode === 'direct') return 'removed';
    const metadata = withoutMark(pin.metadata, owner, id);
    const wanted = holdersOf(pin);
    const holders = wanted === 'everywhere' ? [...(await metrics.all()).keys()] : wanted;
    const rest = holders.filter((holder) => holder !== id);
    // The last copy stays for every home that counts on the shard on any member: the Cluster may have moved the shard by itself.
    const isNeeded = isMarked(metadata, id) || (await cluster.isMarkedInKubo(cid, id));
    if (isNeeded || (rest.length === 0 && ownersOf(metadata).length > 0)) {
      if (membersOf(pin.metadata, owner).includes(id)) await setMetadata(cluster, pin, metadata);
      return 'kept';
    }
    if (rest.length === holders.length) return 'removed';
    if (rest.length === 0) {
      await api.unpin(cid);
      await usage.changed(pin, undefined);
      inventories.saw(cid, id, false);
      return 'removed';
    }
    await assertKept(cluster, cid, rest);
    await setPin(cluster, { cid, name: pin.name, metadata, members: rest });
    await usage.changed(pin, { allocations: rest, metadata });
    inventories.saw(cid, id, false);
    return 'removed';
  });
}

/** As `dropPin`, for a Cluster that is one peer: takes the shard from all members at once. */
export async function dropWhole(cluster: Cluster, cid: string, owner: string): Promise<'removed' | 'kept'> {
  const { api, usage, inventories } = cluster;
  return await cluster.pinMutex.withLock(cid, async () => {
    const pin = await api.pin(cid);
    if (pin === undefined || pin.mode === 'direct') return 'removed';
    const metadata = withoutMark(pin.metadata, owner, ALL);
    if (ownersOf(metadata).length > 0 || (await cluster.isMarkedInKubo(cid, ALL))) {
      if (membersOf(pin.metadata, owner).includes(ALL)) await setMetadata(cluster, pin, metadata);
      return 'kept';
    }
    await api.unpin(cid);
    await usage.changed(pin, undefined);
    inventories.changed();
    return 'removed';
  });
}
