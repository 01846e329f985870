/**
 * Reads the entries of a HAMT directory. Its nodes may come from a stranger: fifteen nodes whose 1,024 slots all lead to the next
 * node are a few blocks, and more links than anybody can follow. So each name must hash to the slots on the way to it, no node may
 * stand in two places, and none below the root may be empty: then there are no more links to follow than there are names.
 */
import { DigestMap } from '../core/digest-map.ts';
import { ShardctlError } from '../core/errors.ts';
import { type BlockId, RAW } from '../core/model.ts';
import { cidText } from './cid.ts';
import { HASH_BITS, HamtSlots } from './hamt-slots.ts';
import { type DagNode, decodeNode, hamtEntryName, type Link } from './node-reader.ts';

/** Gives a node's bytes, hashed. */
export type LoadHamtNode = (id: BlockId) => Promise<Uint8Array>;

/**
 * The entries below a HAMT's root, under their own names, in no order.
 * @param onLost is told of each node that cannot be read, and the entries of the other nodes are given; without it, the error is thrown
 * @throws ShardctlError `DAMAGE` when an entry is not where its name's hash leads
 */
export async function hamtLinks(id: BlockId, root: DagNode, load: LoadHamtNode, onLost?: (error: unknown) => void): Promise<Link[]> {
  const reader = new HamtReader(id, root.fanout ?? 0, load, onLost);
  await reader.read(root, []);
  return reader.links;
}

class HamtReader {
  readonly links: Link[] = [];
  readonly #id: BlockId;
  readonly #fanout: number;
  readonly #load: LoadHamtNode;
  readonly #onLost: ((error: unknown) => void) | undefined;
  readonly #met = new DigestMap();
  readonly #slots: HamtSlots;

  constructor(id: BlockId, fanout: number, load: LoadHamtNode, onLost: ((error: unknown) => void) | undefined) {
    this.#id = id;
    this.#fanout = fanout;
    this.#slots = new HamtSlots(fanout);
    this.#load = load;
    this.#onLost = onLost;
  }

  /** @param path the slots that lead to the node */
  async read(node: DagNode, path: readonly number[]): Promise<void> {
    const digits = (this.#fanout - 1).toString(16).length;
    for (const link of node.links) {
      const name = hamtEntryName(link.name, this.#fanout);
      const slots = [...path, Number.parseInt(link.name.slice(0, digits), 16)];
      if (name === undefined) await this.#descend(link, slots);
      else if (this.#hashesTo(name, slots)) this.links.push({ ...link, name });
      else throw this.#bad('has an entry that is not where its name belongs');
    }
  }

  async #descend(link: Link, slots: readonly number[]): Promise<void> {
    if ((slots.length + 1) * this.#bits > HASH_BITS) throw this.#bad('is nested deeper than a hash reaches');
    if (link.codec === RAW) throw this.#bad('has a slot that leads to a leaf');
    if (!this.#met.add(link.digest, 0, 0)) throw this.#bad('holds one node twice');
    const node = await this.#nodeOf(link);
    if (node === undefined) return;
    if (node.type !== 'hamt' || node.fanout !== this.#fanout) throw this.#bad('has a slot that leads to what is no part of it');
    if (node.links.length === 0) throw this.#bad('has an empty node');
    await this.read(node, slots);
  }

  async #nodeOf(link: Link): Promise<DagNode | undefined> {
    try {
      return decodeNode(await this.#load(link));
    } catch (error) {
      if (this.#onLost === undefined) throw error;
      this.#onLost(error);
      return undefined;
    }
  }

  get #bits(): number {
    return Math.log2(this.#fanout);
  }

  #hashesTo(name: string, slots: readonly number[]): boolean {
    this.#slots.take(name);
    return slots.every((slot, level) => slot === this.#slots.slotAt(level));
  }

  #bad(why: string): ShardctlError {
    return new ShardctlError('DAMAGE', `the directory ${cidText(this.#id, 1)} ${why}`);
  }
}
