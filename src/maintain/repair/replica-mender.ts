/** Brings one shard back to as many good replicas as it must have. */

import { ShardctlError } from '../../core/errors.ts';
import { leastReplicas, type PlacedShard } from '../../core/model.ts';
import type { ShardContents } from '../../peer/peer.ts';
import type { BlockSource } from '../../read/blocks/block-source.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { lacking } from '../../storing/allocate/grace.ts';
import { Ledger, type LedgerRequest } from '../../storing/allocate/ledger.ts';
import { checkReplica } from '../../storing/copy/check-replica.ts';
import type { Demand } from '../../storing/demand.ts';
import { type Holding, holdingsOf } from '../../storing/holdings.ts';
import { Copies, type Copy, type Making } from './copies.ts';
import { type RepairRun, reads, tellSilence } from './repair-run.ts';

/** What was found on the peers of a shard. */
export interface Inspected {
  /** Peers with an intact replica. */
  readonly good: string[];
  /** Peers that answer and whose replica is damaged or missing. */
  readonly bad: string[];
  /** Peers that do not answer. */
  readonly silent: string[];
  /** What the shard holds, if any replica can be opened. */
  readonly contents: ShardContents | undefined;
  /** A whole replica was read to its end. */
  readonly isProven: boolean;
}

export interface Mended {
  /** Replicas written anew where a damaged or missing one was, and on peers that had none. */
  readonly mended: number;
  readonly added: number;
  /** Peers that hold the shard, or will again when they answer. */
  readonly peers: readonly string[];
  /** `lost`: no peer has a whole copy, and every peer that may have one answers. */
  readonly verdict: 'whole' | 'too few' | 'lost';
  /**
   * Whether peers must come back first: all that it lacks is on those that do not answer; or what a damaged replica would be mended with
   * may be on peers that could not be read, and on no other.
   */
  readonly isOutOfReach: boolean;
  /** Whether a whole copy was read to its end, or written and read back: then notes of losses are out of date. */
  readonly isProven: boolean;
  /** Blocks that nobody has, 32 bytes each; undefined when there are none, or nobody knows what the shard held. */
  readonly lacking?: Buffer | undefined;
}

export interface MendOptions {
  /** Every peer that answers and is not drained is to have it, and not only as many as a shard needs: it is a catalogue. */
  readonly everywhere?: boolean;
  /** Makes the shard without reading any replica, where that is possible; and says whether it is. */
  readonly anew?: Making;
}

export class ReplicaMender {
  readonly #run: RepairRun;
  readonly #silent: Set<string>;
  #readBytes = 0;
  #known: ReadonlyMap<string, Holding> | undefined;
  readonly #blocks: BlockSource;
  readonly #copies: Copies;
  #ledger: Ledger | undefined;

  /** @param silent names of peers that do not answer */
  constructor(run: RepairRun, silent: ReadonlySet<string>) {
    this.#run = run;
    this.#silent = new Set(silent);
    this.#blocks = placedBlocks(run.index, run.peers);
    this.#copies = new Copies(run, this.#blocks, this.#silent);
  }

  async close(): Promise<void> {
    await this.#blocks.close();
  }

  /** Peers that do not answer, or not any more. */
  get silent(): ReadonlySet<string> {
    return this.#silent;
  }

  /** Bytes of blocks that were read back to check them. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** @param readData read every block, whatever the run was told */
  async inspect(shard: PlacedShard, what: string, readData = reads(this.#run, shard.cid)): Promise<Inspected> {
    const { peers, signal, emit } = this.#run;
    const good: string[] = [];
    const bad: string[] = [];
    const silent: string[] = [];
    let contents: ShardContents | undefined;
    let isProven = false;
    for (const name of shard.peers) {
      const peer = peers.get(name);
      // A peer that is no longer set up does not count.
      if (peer === undefined) continue;
      if (this.#silent.has(name)) {
        silent.push(name);
        continue;
      }
      let damaged = false;
      const onDamage = (detail: string) => {
        damaged = true;
        emit({ type: 'damage', what, where: name, detail });
      };
      const checked = await checkReplica(shard, peer, { readData, onDamage, signal });
      contents ??= checked.contents;
      this.#readBytes += checked.bytes;
      if (checked.silence !== undefined) {
        this.#noteSilence(name, checked.silence);
        silent.push(name);
        continue;
      }
      isProven ||= readData && !damaged && checked.hearsay === undefined;
      (damaged ? bad : good).push(name);
    }
    return { good, bad, silent, contents, isProven };
  }

  #noteSilence(name: string, why: string): void {
    if (this.#silent.has(name)) return;
    tellSilence(this.#run, name, why);
    this.#silent.add(name);
  }

  /** @param number of the CAR in the spool */
  async mend(
    shard: PlacedShard,
    what: string,
    number: number,
    inspected: Inspected,
    { everywhere = false, anew }: MendOptions = {},
  ): Promise<Mended> {
    const { peers, dryRun, emit, grace } = this.#run;
    const { isProven } = inspected;
    const known = { peers, silent: this.#silent, grace };
    const { replication, allocateBy } = this.#demandOf(shard);
    const least = leastReplicas(replication, peers);
    const lackingWith = (holders: readonly string[], silentHolders: readonly string[]) =>
      lacking(known, { least, allocateBy, holders, silentHolders });
    const missing = lackingWith([...inspected.good, ...inspected.bad], inspected.silent);
    const asIs = [...inspected.good, ...inspected.bad, ...inspected.silent];
    const others = everywhere ? this.#takers().filter((name) => !asIs.includes(name)) : [];
    if (inspected.bad.length === 0 && missing === 0 && others.length === 0) {
      const isOutOfReach = inspected.good.length === 0;
      return { mended: 0, added: 0, peers: asIs, verdict: isOutOfReach ? 'too few' : 'whole', isOutOfReach, isProven };
    }
    const label = this.#holdings.get(shard.cid)?.label ?? what;
    const copy = await this.#copies.of(shard, { what, label, number, good: inspected.good, bad: inspected.bad, anew });
    const { good, bad, silent } = this.#afterReading(what, inspected, copy);
    const isOutOfReach = !copy.isWhole && (copy.mayBeAway || silent.length > 0);
    const verdict = isOutOfReach ? 'too few' : 'lost';
    const hopeless: Mended = { mended: 0, added: 0, peers: asIs, verdict, isOutOfReach, isProven: false, lacking: copy.lacking };
    if (!copy.isWhole && asIs.some((name) => copy.silences.has(name))) return hopeless;
    if (!copy.isWhole && good.length === 0 && (dryRun || !this.#copies.mayFetch(bad))) return hopeless;
    // Without `readData` these replicas were only opened and taken for good: now they are read.
    if (copy.lacking !== undefined && !isProven && silent.length === 0 && !this.#copies.mayFetch(asIs)) return hopeless;
    try {
      const mended = await copy.give(
        bad.filter((name) => !this.#silent.has(name)),
        true,
      );
      const holders = [...good, ...mended];
      if (!copy.isWhole && holders.length === 0) return hopeless;
      const fewer = lackingWith(holders, silent);
      if (others.length > 0) await this.#announce(shard, others);
      const request = { replication: { min: 1, max: fewer }, allocateBy, holders, except: new Set(asIs) };
      const chosen = everywhere || fewer === 0 ? others : await this.#choose(shard, what, request);
      // Where all that must have the catalogue have it, it comes to a peer that was added since, or was away: nothing was wrong with it.
      const added = await copy.give(chosen, !everywhere || fewer > 0);
      holders.push(...added);
      const verdict = lackingWith(holders, silent) > 0 ? 'too few' : 'whole';
      if (verdict === 'too few') emit({ type: 'too-few', what, where: holders.join(', ') });
      // The damaged copy could not be replaced. The next repair tries again; if other peers get the copy, `prune` removes this one.
      const unmended = bad.filter((name) => !mended.includes(name));
      if (verdict === 'whole' && unmended.length > 0) await this.#announce(shard, unmended);
      const returning = dryRun || mended.length + added.length === 0 ? silent : await this.#keeping(shard, silent);
      const peersNow = [...holders, ...returning, ...(verdict === 'whole' ? [] : unmended)].sort();
      return {
        mended: mended.length,
        added: added.length,
        peers: peersNow,
        verdict,
        isOutOfReach: (isOutOfReach && mended.length + added.length === 0) || (silent.length > 0 && unmended.length === 0),
        isProven: isProven || mended.length + added.length > 0,
      };
    } finally {
      copy.drop();
    }
  }

  /** Who has an intact replica, now that a copy was read from them: those that were only opened may be damaged, others have fallen silent. */
  #afterReading(what: string, { good, bad, silent }: Inspected, { damages, silences }: Copy): Pick<Inspected, 'good' | 'bad' | 'silent'> {
    for (const [name, why] of silences) this.#noteSilence(name, why);
    const damaged = good.filter((name) => damages.has(name));
    for (const where of damaged) this.#run.emit({ type: 'damage', what, where, detail: damages.get(where) ?? '' });
    const others = good.filter((name) => !damages.has(name));
    return {
      good: others.filter((name) => !silences.has(name)),
      bad: [...bad, ...damaged],
      silent: [...silent, ...others.filter((name) => silences.has(name))],
    };
  }

  async #announce({ cid }: PlacedShard, peers: readonly string[]): Promise<void> {
    if (!this.#run.dryRun) await this.#run.index.noteStray({ cid, peers });
  }

  /** Peers that can be given something. */
  #takers(): string[] {
    return [...this.#run.peers.values()].filter(({ name, drained }) => drained !== true && !this.#silent.has(name)).map(({ name }) => name);
  }

  /** Of the peers that do not answer, those that can be expected to have the shard when they do (`Peer.keeps`). */
  async #keeping({ cid }: PlacedShard, silent: readonly string[]): Promise<string[]> {
    const keeping: string[] = [];
    for (const name of silent) {
      try {
        if ((await this.#run.peers.get(name)?.keeps?.(cid)) !== false) keeping.push(name);
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        keeping.push(name);
      }
    }
    return keeping;
  }

  /** Who needs each shard, and the name of its pin, by CID. Read when the first shard is mended: no snapshot is rewritten after that. */
  get #holdings(): ReadonlyMap<string, Holding> {
    this.#known ??= new Map(holdingsOf(this.#run.index).map((holding) => [holding.cid, holding]));
    return this.#known;
  }

  /** Where two records stand for one shard, each must meet the demand of the repositories that need that record. */
  #demandOf({ cid, number }: PlacedShard & { readonly number?: number }): Demand {
    const { demands } = this.#run;
    if (number !== undefined) return demands.ofShard(number);
    const holding = this.#holdings.get(cid);
    return holding === undefined ? demands.of([]) : demands.ofUsers(holding);
  }

  async #choose(shard: PlacedShard, what: string, request: Omit<LedgerRequest, 'cid' | 'bytes'>): Promise<string[]> {
    const { demands, emit } = this.#run;
    try {
      this.#ledger ??= await Ledger.open({ ...this.#run, ...demands.of([]), replication: { min: 1, max: 1 } });
      const names = this.#ledger.allocate({ ...request, cid: shard.cid, bytes: shard.carBytes });
      await this.#announce(shard, names);
      return names;
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      // An allocator may name a peer that is gone: the error of that is clearer than one about too few peers.
      if (error.code === 'BAD_CONFIG') emit({ type: 'warning', message: `${what} finds no peer: ${error.message}` });
      return [];
    }
  }
}
