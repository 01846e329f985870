/** Whole copies of shards for the peers that lack them: made of what is left, or fetched by the peers themselves. */
import { rmSync } from 'node:fs';
import { ShardctlError } from '../../core/errors.ts';
import type { PlacedShard } from '../../core/model.ts';
import type { Peer } from '../../peer/peer.ts';
import type { BlockSource } from '../../read/blocks/block-source.ts';
import { checkReplica } from '../../storing/copy/check-replica.ts';
import { lookForBlocks, rebuild } from '../../storing/copy/rebuild.ts';
import type { PackedShard } from '../../storing/pack/open-shard.ts';
import { putWithRetries } from '../../storing/place/put.ts';
import type { RepairRun } from './repair-run.ts';

/** Gives a shard without any replica, where that can be done. */
export interface Making {
  readonly isPossible: () => Promise<boolean>;
  readonly make: () => Promise<PackedShard | undefined>;
}

export interface CopyRequest {
  /** The shard, for whoever runs the repair; and what people see of it on a peer. */
  readonly what: string;
  readonly label: string;
  /** Of the CAR in the spool. */
  readonly number: number;
  /** Peers whose replica is whole, and those that answer and whose replica is not. */
  readonly good: readonly string[];
  readonly bad: readonly string[];
  readonly anew: Making | undefined;
}

/** A whole copy of a shard, as far as there is one. */
export interface Copy {
  readonly isWhole: boolean;
  readonly lacking: Buffer | undefined;
  /** @returns the peers that have it now */
  readonly give: (names: readonly string[]) => Promise<string[]>;
  readonly drop: () => void;
}

export class Copies {
  readonly #run: RepairRun;
  readonly #blocks: BlockSource;
  #isGone = false;

  constructor(run: RepairRun, blocks: BlockSource) {
    this.#run = run;
    this.#blocks = blocks;
  }

  /** Of a dry run the copy is only looked for, block by block as the real one is made, and whoever is to be given it has it. */
  async of(shard: PlacedShard, request: CopyRequest): Promise<Copy> {
    const { number, good, bad, anew } = request;
    const { peers, dryRun, spool, signal } = this.#run;
    const from = [...good, ...bad].map((name) => peers.get(name) as Peer);
    const elsewhere = (digest: Uint8Array) => this.#blocks.read(digest, new Set([shard.cid]));
    if (dryRun) {
      const found = await lookForBlocks(shard, { from, elsewhere, signal });
      const isWhole = found === 'whole' || (await anew?.isPossible()) === true;
      const give = async (names: readonly string[]) => names.filter((name) => isWhole || peers.get(name)?.fetch !== undefined);
      return { isWhole, lacking: typeof found === 'string' ? undefined : found, give, drop: () => {} };
    }
    const rebuilt = await rebuild(shard, { spool, number, from, elsewhere, signal });
    const whole = rebuilt.kind === 'whole' ? rebuilt.shard : await anew?.make();
    return {
      isWhole: whole !== undefined,
      lacking: rebuilt.kind === 'lacking' ? rebuilt.digests : undefined,
      give: (names) => (whole === undefined ? this.#fetchOn(names, shard, request) : this.#putOn(names, whole, request)),
      drop: () => whole !== undefined && rmSync(whole.carPath, { force: true }),
    };
  }

  /** @returns the peers that have a whole copy now */
  async #putOn(names: readonly string[], whole: PackedShard, { what, label }: CopyRequest): Promise<string[]> {
    const { signal, emit, throttle } = this.#run;
    const shard = { ...whole, label };
    const options = { mayConsume: false, replace: true, signal, ...(throttle === undefined ? {} : { throttle }) };
    return await this.#eachOf(names, what, async (peer) => {
      await putWithRetries(peer, shard, options, { emit });
      await this.#readBack(whole, peer);
    });
  }

  /** Disks that have lost a block once may lose the next. */
  async #readBack(shard: Omit<PlacedShard, 'peers'>, peer: Peer): Promise<void> {
    const onDamage = (detail: string) => {
      throw new ShardctlError('DAMAGE', detail);
    };
    await checkReplica(shard, peer, { readData: true, onDamage, signal: this.#run.signal });
  }

  /** Nobody who can be read has the shard. Those who have it by their own word may give it to others, and a datastore may still hold it. */
  async #fetchOn(names: readonly string[], shard: PlacedShard, { what, label, good }: CopyRequest): Promise<string[]> {
    const { signal } = this.#run;
    const { cid, carBytes } = shard;
    return await this.#eachOf(names, what, async (peer) => {
      // What it has pinned it does not fetch: the damage stays.
      if (peer.fetch === undefined || (await peer.has(cid))) throw new ShardctlError('DAMAGE', 'no whole copy can be read anywhere');
      await peer.fetch({ cid, label, carBytes }, signal).catch((error: unknown) => {
        this.#isGone ||= good.length === 0;
        throw error;
      });
      await this.#readBack(shard, peer);
    });
  }

  /** A shard that is pinned nowhere is looked for in vain for minutes: where the first was not found, others are not looked for. */
  mayFetch(names: readonly string[]): boolean {
    return !this.#isGone && names.some((name) => this.#run.peers.get(name)?.fetch !== undefined);
  }

  /** @returns those with whom it went well */
  async #eachOf(names: readonly string[], what: string, give: (peer: Peer) => Promise<void>): Promise<string[]> {
    const { peers, emit } = this.#run;
    const done: string[] = [];
    for (const name of names) {
      try {
        await give(peers.get(name) as Peer);
        done.push(name);
        emit({ type: 'mended', what, where: name });
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        emit({ type: 'warning', message: `${what} could not be written to peer ${name}: ${error.message}`, cause: error.message });
      }
    }
    return done;
  }
}
