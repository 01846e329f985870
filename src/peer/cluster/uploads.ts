/**
 * Uploads of shards to members. The members of one allocation share an upload: the first put starts it for all, the others wait for it.
 *
 * To a member whose Kubo is known the shard goes by `dag/import`, which holds Kubo's pin lock all the time, and the Cluster is told
 * afterwards. To the others it goes through `/add`: until all blocks are there no pin holds them, and a garbage collection at that moment
 * deletes some. Then the pin fails, or the member fetches them from another.
 */
import { ShardctlError } from '../../core/errors.ts';
import { sleep } from '../../core/waiting.ts';
import { checkCar } from '../car-check.ts';
import { shardBody } from '../http/car-body.ts';
import type { SealedShard, Throttle } from '../peer.ts';
import { mayHaveActed } from './api.ts';
import type { Pin } from './api-answers.ts';
import { holdersOf } from './api-answers.ts';
import type { Cluster } from './cluster.ts';
import { withMark, withoutMarks } from './mark-metadata.ts';
import { canBeAllocated, cannotTake, keepable, markPin, sameMembers, setPin } from './pin-changes.ts';
import { pinnedOn } from './pin-confirmation.ts';
import { sizeMetadata } from './usage.ts';

const ATTEMPTS = 3;
/** The Cluster may go on with a request that broke off: this often, and in this distance, it is looked for before it is sent again. */
const LOOKS = 4;
const LOOK_MS = 500;

export interface UploadOptions {
  /** The copy on the members is damaged. */
  readonly replace: boolean;
  readonly throttle?: Throttle | undefined;
  readonly signal: AbortSignal;
}

/** Members that did not get the shard, and why. */
type Failures = Map<string, ShardctlError>;

interface Job {
  readonly members: ReadonlySet<string>;
  readonly sent: Promise<Failures>;
  /** Signals of the puts that wait for it. When the last of them is aborted, the upload is aborted. */
  readonly waiting: Set<AbortSignal>;
  readonly giveUp: AbortController;
}

export class Uploads {
  readonly #cluster: Cluster;
  readonly #jobs = new Map<string, Job>();
  /** By CID the members on which this process has put it: it was seen to be there, and is not looked for again. */
  readonly #done = new Map<string, Set<string>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Puts the shard on member `id`, and on the others of its allocation with it. */
  async put(shard: SealedShard, id: string, allocation: readonly string[], options: UploadOptions): Promise<void> {
    const { api, inventories, now } = this.#cluster;
    if (!options.replace && this.#done.get(shard.cid)?.has(id)) return;
    // Not `retrying`: what is tried again here has not failed. Another home has changed the pin meanwhile, and no pause would help.
    for (let attempt = 1; ; attempt++) {
      let job = this.#jobs.get(shard.cid);
      if (job?.members.has(id) !== true || job.giveUp.signal.aborted) job = this.#start(shard, new Set([...allocation, id]), options);
      const failure = (await join(job, options.signal)).get(id);
      if (failure !== undefined) throw failure;
      if (await markPin(this.#cluster, shard.cid, id)) {
        await pinnedOn(api, shard.cid, id, { signal: options.signal, now });
        // Another home that changed the pin at the same moment may have written back the metadata without this home's mark.
        if (await markPin(this.#cluster, shard.cid, id)) break;
      }
      if (attempt === ATTEMPTS)
        throw new ShardctlError('TOO_FEW_PEERS', `another home removes ${shard.label} while it is being put`, { retryable: true });
    }
    inventories.saw(shard.cid, id, true);
    const done = this.#done.get(shard.cid) ?? new Set();
    this.#done.set(shard.cid, done.add(id));
  }

  /** Notes that the shard was taken from the member. */
  forget(cid: string, id: string): void {
    this.#done.get(cid)?.delete(id);
  }

  #start(shard: SealedShard, members: ReadonlySet<string>, options: UploadOptions): Job {
    const giveUp = new AbortController();
    const own = { ...options, signal: giveUp.signal };
    const sent = this.#cluster.pinMutex.withLock(shard.cid, async () => {
      // Others had the lock before, and all puts that wait for this upload may have been aborted meanwhile.
      giveUp.signal.throwIfAborted();
      return await this.#send(shard, [...members], own);
    });
    const job = { members, sent, waiting: new Set<AbortSignal>(), giveUp };
    this.#jobs.set(shard.cid, job);
    const end = () => {
      if (this.#jobs.get(shard.cid) === job) this.#jobs.delete(shard.cid);
    };
    sent.then(end, end);
    return job;
  }

  /** Sends the bytes to the members that lack them, and sets the pin to these members and the holders that stay. Needs the lock of the CID. */
  async #send(shard: SealedShard, members: readonly string[], options: UploadOptions): Promise<Failures> {
    const { replace, throttle, signal } = options;
    const cluster = this.#cluster;
    const { api, metrics } = cluster;
    await checkCar(shard.carPath, shard);
    await cluster.describe();
    const pin = await api.pin(shard.cid);
    const there = pin === undefined ? new Set<string>() : await cluster.inventories.holders(shard.cid);
    const isThere = (id: string) => there.has(id);
    const failures: Failures = new Map();
    const well = (ids: readonly string[]) => ids.filter((id) => !failures.has(id));

    for (const id of members) {
      const state = await metrics.of(id);
      if (!isThere(id) && !canBeAllocated(state)) failures.set(id, cannotTake(cluster, id, state));
    }
    const holders = holdersOf(pin);
    // Holders outside of this allocation, which keep the shard.
    const others =
      holders === 'everywhere'
        ? []
        : await keepable(
            cluster,
            shard.cid,
            holders.filter((id) => !members.includes(id)),
          );

    const { id: owner } = cluster.options.owner;
    // The Cluster drops silent holders from the pin, so this home's marks for them go, too.
    const dropped = holders === 'everywhere' ? [] : holders.filter((id) => !members.includes(id) && !others.includes(id));
    const before = withoutMarks({ ...pin?.metadata, ...metadataOf(shard) }, owner, dropped);
    const marked = (ids: readonly string[]) => withMark(before, owner, ids);

    await Promise.all(well(members).map((id) => this.#import(shard, id, options, failures)));
    const lacking = well(members).filter((id) => cluster.member(id)?.kubo === undefined && (replace || !isThere(id)));
    const allocated = () => [...others, ...well(members)];
    // When the shard is sent to all members that will have it, `/add` makes the pin as well; else it would drop the others from the pin.
    const pinsToo = holders !== 'everywhere' && lacking.length > 0 && sameMembers(lacking, allocated());
    if (lacking.length > 0)
      await this.#add(shard, lacking, { noPin: !pinsToo, throttle, signal, before: pin, metadata: marked(lacking) }, failures);
    if (well(members).length === 0) return failures;
    const isSet = pinsToo ? failures.size === 0 : members.every(isThere);
    if (!isSet) {
      const target = holders === 'everywhere' ? holders : allocated();
      const wanted = { cid: shard.cid, name: pin?.name ?? shard.label, metadata: marked(well(members)), members: target };
      for (const id of await setPin(cluster, wanted, signal)) failures.set(id, cannotTake(cluster, id));
    }
    await cluster.usage.changed(pin, { allocations: holders === 'everywhere' ? [] : allocated(), metadata: metadataOf(shard) });
    return failures;
  }

  /** Sends the shard to the member's Kubo, if its address is known. */
  async #import(shard: SealedShard, id: string, { replace, throttle, signal }: UploadOptions, failures: Failures): Promise<void> {
    try {
      await this.#cluster
        .member(id)
        ?.kubo?.put(shard, { mayConsume: false, replace, ...(throttle === undefined ? {} : { throttle }), signal });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ShardctlError) || error.code === 'DAMAGE') throw error;
      failures.set(id, error);
    }
  }

  /** Sends the shard to the Cluster, which passes it on to all of the members at once. */
  async #add(
    shard: SealedShard,
    members: readonly string[],
    {
      noPin,
      throttle,
      signal,
      before,
      metadata,
    }: Pick<UploadOptions, 'throttle' | 'signal'> & {
      readonly noPin: boolean;
      readonly before: Pin | undefined;
      readonly metadata: Readonly<Record<string, string>>;
    },
    failures: Failures,
  ): Promise<void> {
    const { api } = this.#cluster;
    const options = {
      // A pin keeps the name that it has.
      name: before?.name ?? shard.label,
      metadata,
      members,
      noPin,
      what: `uploading ${shard.label}`,
      repeatable: false,
      signal,
    };
    // Not `retrying`: instead of a pause the upload is looked for, which may have come to its end although its answer broke off.
    for (let attempt = 1; ; attempt++) {
      try {
        const chosen = await api.add(await shardBody(shard, throttle), options);
        for (const id of members) if (!chosen.includes(id)) failures.set(id, cannotTake(this.#cluster, id));
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (attempt === ATTEMPTS || !mayHaveActed(error)) throw error;
        if (!noPin && before === undefined && (await this.#arrived(shard.cid, members, signal))) return;
      }
    }
  }

  /** Whether an upload whose answer broke off has succeeded: the Cluster pins last. */
  async #arrived(cid: string, members: readonly string[], signal: AbortSignal): Promise<boolean> {
    for (let look = 1; look <= LOOKS; look++) {
      const pin = await this.#cluster.api.pin(cid);
      if (pin !== undefined && sameMembers(pin.allocations, members)) return true;
      await sleep(LOOK_MS, signal);
    }
    return false;
  }
}

/** Waits for the upload, or until `signal` is aborted. */
async function join(job: Job, signal: AbortSignal): Promise<Failures> {
  signal.throwIfAborted();
  let leave = () => {};
  const left = new Promise<never>((_, reject) => {
    leave = () => {
      job.waiting.delete(signal);
      if (job.waiting.size === 0) job.giveUp.abort(signal.reason);
      reject(signal.reason);
    };
  });
  job.waiting.add(signal);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([job.sent, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

export function metadataOf({ carBytes }: Pick<SealedShard, 'carBytes'>): Record<string, string> {
  return sizeMetadata(carBytes);
}
