/** Gives peers whole copies of shards that they lack: made from what is left of the replicas, or fetched by the peers from one another. */
import { isShortage, ShardctlError } from '../../core/errors.ts';
import { peerWarning } from '../../core/events.ts';
import type { PlacedShard } from '../../core/model.ts';
import { removeFileSync } from '../../core/remove-file.ts';
import { type Peer, peerNamed } from '../../peer/peer.ts';
import { type BlockSource, UnreadableBlock } from '../../read/blocks/block-source.ts';
import { checkReplica, silencesOf } from '../../storing/copy/check-replica.ts';
import { type Looked, lookForBlocks, rebuild } from '../../storing/copy/rebuild.ts';
import type { PackedShard } from '../../storing/pack/open-shard.ts';
import { putWithRetries } from '../../storing/place/put.ts';
import type { RepairRun } from './repair-run.ts';

/** Makes a shard without reading any replica, where that is possible (a catalogue). */
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
  /** Peers with an intact replica, and peers that answer and whose replica is damaged or missing. */
  readonly good: readonly string[];
  readonly bad: readonly string[];
  readonly anew: Making | undefined;
}

interface Giving extends CopyRequest {
  /** Whether each copy is told as something that was mended. */
  readonly isNews: boolean;
}

/** A whole copy of a shard in the spool, if one could be made. */
export interface Copy {
  readonly isWhole: boolean;
  /** Blocks that nobody has given, 32 bytes each, where it is not whole; undefined when nobody knows them. */
  readonly lacking: Buffer | undefined;
  /** What is wrong with replicas that were read, by the names of their peers. */
  readonly damages: ReadonlyMap<string, string>;
  /** Why peers fell silent that were asked for blocks, by their names. */
  readonly silences: ReadonlyMap<string, string>;
  /** What is lacking may be on a peer that cannot be read now: in a replica, or in another shard. */
  readonly mayBeAway: boolean;
  /**
   * @param isNews whether each copy is told as something that was mended
   * @returns the peers that have it now
   */
  readonly give: (names: readonly string[], isNews: boolean) => Promise<string[]>;
  readonly drop: () => void;
}

export class Copies {
  readonly #run: RepairRun;
  readonly #blocks: BlockSource;
  readonly #silent: ReadonlySet<string>;
  #isGone = false;

  /** @param silent peers that are known not to answer, at any time */
  constructor(run: RepairRun, blocks: BlockSource, silent: ReadonlySet<string>) {
    this.#run = run;
    this.#blocks = blocks;
    this.#silent = silent;
  }

  /** In a dry run: looks for every block as a real run would, writes nothing, and takes it that each peer would get its copy. */
  async of(shard: PlacedShard, request: CopyRequest): Promise<Copy> {
    const { number, good, bad, anew } = request;
    const { peers, dryRun, spool, signal } = this.#run;
    const from = [...good, ...bad].map((name) => peerNamed(peers, name));
    /** Peers that may have a lacking block in another shard, and could not be read. */
    const unasked = new Set<string>();
    const elsewhere = (digest: Uint8Array) => this.#elsewhere(digest, shard.cid, unasked);
    const looked = { from, elsewhere, signal };
    const read: Looked & { readonly shard?: PackedShard | undefined } = dryRun
      ? await lookForBlocks(shard, looked)
      : await rebuild(shard, { ...looked, spool, number });
    const whole = read.shard ?? (dryRun || read.isWhole ? undefined : await anew?.make());
    const isWhole = read.isWhole || (dryRun ? (await anew?.isPossible()) === true : whole !== undefined);
    const silences = await silencesOf([...unasked].filter((name) => !this.#silent.has(name)).map((name) => peerNamed(peers, name)));
    return {
      isWhole,
      lacking: isWhole ? undefined : read.lacking,
      damages: read.damages,
      silences: new Map([...silences, ...read.silences]),
      mayBeAway: !isWhole && read.silences.size + read.unread.size + unasked.size > 0,
      give: async (names, isNews) => {
        if (dryRun) return names.filter((name) => isWhole || peers.get(name)?.fetch !== undefined);
        const asked = { ...request, isNews };
        return whole === undefined ? await this.#fetchOn(names, shard, asked) : await this.#putOn(names, whole, asked);
      },
      drop: () => whole !== undefined && removeFileSync(whole.carPath),
    };
  }

  /**
   * A block that no replica of its shard gives, from another shard that has it too.
   * @param cid of the shard that lacks it @param unasked is given the peers that may have it and could not be read
   */
  async #elsewhere(digest: Uint8Array, cid: string, unasked: Set<string>): Promise<Uint8Array | undefined> {
    try {
      return await this.#blocks.read(digest, new Set([cid]));
    } catch (error) {
      if (!(error instanceof ShardctlError) || isShortage(error)) throw error;
      // A peer that is no longer set up does not count.
      const away = error instanceof UnreadableBlock ? error.unasked.filter((name) => this.#run.peers.has(name)) : [];
      for (const name of away) unasked.add(name);
      return undefined;
    }
  }

  /** @returns the peers that have a whole copy now */
  async #putOn(names: readonly string[], whole: PackedShard, { what, label, isNews }: Giving): Promise<string[]> {
    const { signal, emit, throttle } = this.#run;
    const shard = { ...whole, label };
    const options = { mayConsume: false, replace: true, signal, ...(throttle === undefined ? {} : { throttle }) };
    return await this.#eachOf(names, { what, isNews }, async (peer) => {
      await putWithRetries(peer, shard, options, { emit });
      await this.#readBack(whole, peer);
    });
  }

  /** The copy that was just written is read back: a disk that has lost one block may lose the next. */
  async #readBack(shard: Omit<PlacedShard, 'peers'>, peer: Peer): Promise<void> {
    const onDamage = (detail: string) => {
      throw new ShardctlError('DAMAGE', detail);
    };
    await checkReplica(shard, peer, { readData: true, onDamage, signal: this.#run.signal });
  }

  /** No peer that can be read has the shard. Peers that say they hold it may give it to others, and a datastore may still have its blocks. */
  async #fetchOn(names: readonly string[], shard: PlacedShard, { what, label, good, isNews }: Giving): Promise<string[]> {
    const { signal } = this.#run;
    const { cid, carBytes } = shard;
    return await this.#eachOf(names, { what, isNews }, async (peer) => {
      // A peer does not fetch what it has pinned, so the damage on it stays.
      if (peer.fetch === undefined || (await peer.has(cid))) throw new ShardctlError('DAMAGE', 'no whole copy can be read anywhere');
      await peer.fetch({ cid, label, carBytes }, signal).catch((error: unknown) => {
        this.#isGone ||= good.length === 0;
        throw error;
      });
      await this.#readBack(shard, peer);
    });
  }

  /** Looking for a shard that is pinned nowhere takes minutes: when the first was not found, no other is looked for. */
  mayFetch(names: readonly string[]): boolean {
    return !this.#isGone && names.some((name) => this.#run.peers.get(name)?.fetch !== undefined);
  }

  /** @returns those with whom it went well */
  async #eachOf(
    names: readonly string[],
    { what, isNews }: Pick<Giving, 'what' | 'isNews'>,
    give: (peer: Peer) => Promise<void>,
  ): Promise<string[]> {
    const { peers, emit } = this.#run;
    const done: string[] = [];
    for (const name of names) {
      try {
        await give(peerNamed(peers, name));
        done.push(name);
        if (isNews) emit({ type: 'mended', what, where: name });
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        emit(peerWarning(name, `could not be given ${what}`, error));
      }
    }
    return done;
  }
}
