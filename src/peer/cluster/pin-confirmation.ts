/** Waits until members say that they have pinned: a pin is asked for in a moment, and may take minutes. */
import { ShardctlError } from '../../core/errors.ts';
import { sleep } from '../../core/waiting.ts';
import type { ClusterApi, MemberStatus } from './api.ts';

export const PINNED = 'pinned';
/** The Cluster does not want it there. */
const NOT_WANTED = new Set(['remote', 'unpinned']);
const FAILED = new Set(['pin_error', 'unpin_error', 'error']);
const UNDER_WAY = new Set(['pinning', 'pin_queued', 'queued']);

/**
 * Longest time under way: a member may queue many pins, or fetch a shard from another. Kubo gives up a pin that makes no progress for two
 * minutes, which is a `pin_error`.
 */
const BUSY_MS = 10 * 60_000;
/** The status of a lost pin. A member does nothing about it by itself for a quarter of an hour. */
const LOST = 'unexpectedly_unpinned';
/** Just after a pin was asked for, that status is normal for this long. */
const LOST_MS = 1000;
/** Longest time in any other status: those pass by themselves, as `cluster_error` does when a member restarts. */
const STALL_MS = 30_000;
const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 1000;

export interface WatchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest time without a change when no member is under way. [30 s] */
  readonly stallMs?: number;
  readonly now: () => number;
}

type Verdict = boolean | { readonly why: string };

/** Asks until `enough` is true. @throws ShardctlError `TOO_FEW_PEERS`, retryable, when `enough` gives a reason why it cannot be, or when no status changes any more */
async function watch(
  api: ClusterApi,
  cid: string,
  { signal, stallMs = STALL_MS, now }: WatchOptions,
  enough: (statuses: ReadonlyMap<string, MemberStatus>) => Verdict | Promise<Verdict>,
): Promise<void> {
  let seen = '';
  let since = now();
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(MAX_PAUSE_MS, pause * 1.5)) {
    const statuses = await api.status(cid);
    const verdict = await enough(statuses);
    if (verdict === true) return;
    if (verdict !== false) throw failed(api, cid, verdict.why);
    const texts = [...statuses.values()].map(({ status }) => status);
    const summary = texts.sort().join(' ');
    if (summary !== seen) since = now();
    seen = summary;
    const limit = texts.some((status) => UNDER_WAY.has(status)) ? Math.max(BUSY_MS, stallMs) : stallMs;
    if (now() - since > limit)
      throw failed(api, cid, `nothing has happened for ${Math.round(limit / 1000)} s (${summary || 'no member answers'})`);
    await sleep(pause, signal);
  }
}

/**
 * A member's status of a CID, once it is one that lasts: a pin that is made again, even if only its metadata change, is under way or lost
 * for a moment. @returns undefined when the Cluster does not ask the member
 */
export async function statusThatLasts(
  status: () => Promise<ReadonlyMap<string, MemberStatus>>,
  id: string,
): Promise<MemberStatus | undefined> {
  for (let waited = 0, pause = FIRST_PAUSE_MS; ; waited += pause, pause *= 2) {
    const its = (await status()).get(id);
    const mayPass = its !== undefined && (UNDER_WAY.has(its.status) || its.status === LOST);
    if (!mayPass || waited > LOST_MS) return its;
    await sleep(pause);
  }
}

/** Waits until this member has pinned the CID. @throws ShardctlError `TOO_FEW_PEERS`, retryable */
export async function pinnedOn(api: ClusterApi, cid: string, id: string, options: WatchOptions): Promise<void> {
  const since = options.now();
  let asked = false;
  await watch(api, cid, options, async (statuses) => {
    const its = statuses.get(id);
    if (its === undefined) return false;
    if (its.status === LOST && !asked && options.now() - since > LOST_MS) {
      asked = true;
      await api.recover(cid);
    }
    return its.status === PINNED || (FAILED.has(its.status) ? { why: reason(its) } : false);
  });
}

/** Waits until so many members have pinned the CID; fails when too many have failed. @throws ShardctlError `TOO_FEW_PEERS`, retryable */
export async function pinnedOnSome(api: ClusterApi, cid: string, least: number, options: WatchOptions): Promise<void> {
  await watch(api, cid, options, (statuses) => {
    const all = [...statuses.values()];
    if (countPinned(statuses) >= least) return true;
    const failures = all.filter(({ status }) => FAILED.has(status));
    const wanted = all.filter(({ status }) => !NOT_WANTED.has(status));
    if (failures.length === 0 || wanted.length - failures.length >= least) return false;
    return { why: `${countPinned(statuses)} of ${least} members have it; ${failures.map(reason).join('; ')}` };
  });
}

export function countPinned(statuses: ReadonlyMap<string, MemberStatus>): number {
  return [...statuses.values()].filter(({ status }) => status === PINNED).length;
}

function reason({ status, error }: MemberStatus): string {
  return error === '' ? status : `${status}: ${error.replace(/\s+/g, ' ').slice(0, 300)}`;
}

function failed(api: ClusterApi, cid: string, why: string): ShardctlError {
  return new ShardctlError('TOO_FEW_PEERS', `${api.who} has not pinned ${cid}: ${why}`, {
    hint: 'is the member and its Kubo well, and was no garbage collected during the upload? Running the same command again sends the shard again',
    retryable: true,
  });
}
