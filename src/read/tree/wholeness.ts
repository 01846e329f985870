/**
 * Checks whether trees are whole: whether each block that a tree reaches is in one of the shards that should hold the tree. Reads only
 * nodes; leaves are looked up in the index and not read. (Where a profile has no raw leaves, each leaf is a node.)
 *
 * This is a second opinion on `reachable.ts`, so it takes over nothing of what that has visited. Only nodes are remembered as
 * visited, so a raw leaf with the bytes of a node is never taken for that node.
 */

import { DigestMap } from '../../core/digest-map.ts';
import { isDamage } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import type { Emit } from '../../core/events.ts';
import { type BlockId, RAW } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import type { Index } from '../../index/index.ts';
import { type Blocks, UnlistedBlock } from '../blocks/block-source.ts';

/** How many of the missing blocks are named. */
const NAMED = 3;

export interface WholenessOptions {
  readonly index: Pick<Index, 'shardOf'>;
  readonly blocks: Blocks;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** The blocks of a tree that are in none of the shards that should hold it. */
export interface Gaps {
  /** How many. Blocks below a node that this home does not have are unknown and not counted. */
  readonly missing: number;
  /** How many of them are in no other shard of this home either. */
  readonly nowhere: number;
  /** Shards of this home that hold the other missing blocks. */
  readonly elsewhere: ReadonlySet<number>;
  /** CIDs of the first few. */
  readonly first: readonly string[];
}

/**
 * Checks one tree after another. Snapshots of a repository share most of their nodes, and a subtree that is whole in some shards is
 * whole in more. So a tree costs only its new nodes as long as its shards include those of the tree before: give the oldest first.
 * Holds 44 to 88 bytes a node.
 */
export class Wholeness {
  readonly #options: WholenessOptions;
  /** Nodes that were walked: everything below them is in `#shards`. */
  #walked = new DigestMap();
  #shards: ReadonlySet<number> = new Set();
  readonly #turns: Turns;
  #nodes = 0;
  #bytes = 0;

  constructor(options: WholenessOptions) {
    this.#options = options;
    this.#turns = new Turns(options.signal);
  }

  /**
   * @param shards the numbers of those that should hold the tree
   * @param onHeld called with each block that one of these shards holds, and its shard; not for blocks below nodes that were walked before
   * @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when a node is in a shard and cannot be read, because the blocks below it are not known then
   */
  async gaps(tree: BlockId, shards: ReadonlySet<number>, onHeld?: (digest: Uint8Array, shard: number) => void): Promise<Gaps> {
    if (![...this.#shards].every((shard) => shards.has(shard))) this.#walked = new DigestMap();
    this.#shards = shards;
    const found = new FoundGaps();
    const waiting: BlockId[] = [];
    const look = (id: BlockId) => {
      if (id.codec !== RAW && this.#walked.get(id.digest) !== undefined) return;
      const shard = this.#options.index.shardOf(id.digest, 0, (number) => shards.has(number));
      if (shard !== undefined) onHeld?.(id.digest, shard);
      else found.add(id, this.#options.index.shardOf(id.digest));
      if (id.codec !== RAW && this.#walked.add(id.digest, 0, 0)) waiting.push(id);
    };
    try {
      look(tree);
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const block = await this.#read(next, found);
        // Last in, first out: reversed, nodes are read in the order in which they were packed.
        if (block !== undefined) for (const link of decodeNode(block).links.toReversed()) look(link);
        this.#nodes++;
        if (this.#turns.isDue) await this.#turn();
      }
      return found;
    } finally {
      // `#walked` also has nodes above the missing blocks, and after an error nodes whose links were not followed: neither may be trusted.
      if (found.missing > 0 || waiting.length > 0) this.#walked = new DigestMap();
    }
  }

  /** Reads a node from any shard of this home; undefined when none has it, and it is noted as missing. */
  async #read({ digest }: BlockId, found: FoundGaps): Promise<Uint8Array | undefined> {
    try {
      const block = await this.#options.blocks.read(digest);
      this.#bytes += block.length;
      return block;
    } catch (error) {
      // A node that counts as held must be readable: a tree of which nobody knows what is below a node is not whole.
      if (!found.has(digest)) throw error;
      // A node that no usable shard lists may still be found, damaged, in a damaged shard: it stays missing.
      if (error instanceof UnlistedBlock || (isDamage(error) && this.#options.index.shardOf(digest) === undefined)) return undefined;
      throw error;
    }
  }

  async #turn(): Promise<void> {
    const { emit } = this.#options;
    emit({ type: 'progress', label: 'looking whether trees are whole', done: this.#nodes, total: 0, bytes: this.#bytes });
    await this.#turns.give();
  }
}

class FoundGaps implements Gaps {
  readonly elsewhere = new Set<number>();
  readonly first: string[] = [];
  readonly #missing = new DigestMap();
  nowhere = 0;

  get missing(): number {
    return this.#missing.size;
  }

  has(digest: Uint8Array): boolean {
    return this.#missing.get(digest) !== undefined;
  }

  add(id: BlockId, elsewhere: number | undefined): void {
    if (!this.#missing.add(id.digest, 0, 0)) return;
    if (elsewhere === undefined) this.nowhere++;
    else this.elsewhere.add(elsewhere);
    if (this.first.length < NAMED) this.first.push(cidText(id, 1));
  }
}

/** The missing blocks in words: how many, and the first few. */
export function gapsText({ missing, first }: Gaps): string {
  if (missing === 1) return `block ${first[0]}`;
  return `${missing} blocks (${first.join(', ')}${missing > first.length ? ', …' : ''})`;
}
