/** Hashes the files of a mirror whose sha256 no block says, in the background: one after the other, with a pause after each block. */
import { createHash, randomInt } from 'node:crypto';
import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, RAW, type Root } from '../../core/model.ts';
import { sleep } from '../../core/waiting.ts';
import { parseCid } from '../../dag/cid.ts';
import { type DagNode, decodeNode } from '../../dag/node-reader.ts';
import { dataOf } from '../../read/tree/file-data.ts';
import { Repetition } from '../../read/tree/repetition.ts';
import { readEntry } from '../../read/tree/tree.ts';
import type { Mirror, MirrorView } from '../mirror.ts';
import type { FileHashes } from './file-hashes.ts';

/**
 * Smaller files have one leaf by every profile, so below an entry of no more bytes there is nothing to hash. A small file that has no raw
 * leaf, as by a profile of CIDv0, is hashed when it is read.
 */
const MOST_PASSED_OVER = 256 * 1024;

/** Whether the bytes of the file are those of one block, which then says its sha256. */
export function isOneLeaf({ links, data }: DagNode): boolean {
  return links.length === 1 && links[0]?.codec === RAW && (data === undefined || data.length === 0);
}

/** When more are remembered, 44 to 88 bytes each, all are looked at again: those of snapshots that are gone would stay for ever. */
const MOST_MET = 1_000_000;

export interface HashingOptions {
  readonly mirror: Mirror;
  readonly hashes: FileHashes;
  readonly signal: AbortSignal;
}

export class Hashing {
  readonly #options: HashingOptions;
  /** Directories and large files that were looked at: most of a snapshot stands in the one before it, too. */
  #met = new DigestMap();
  readonly #place = randomInt(2 ** 32);
  /** Views all of whose files were looked at. */
  readonly #done = new WeakSet<MirrorView>();
  #isAtWork = false;

  constructor(options: HashingOptions) {
    this.#options = options;
  }

  get isAtWork(): boolean {
    return this.#isAtWork;
  }

  /**
   * Hashes what is not hashed yet, newest snapshots first, unless it is at that already. Takes half of the time of one thread, because it
   * pauses for as long as each step took. Files that cannot be read are passed over until the next start of the server.
   */
  start(): void {
    const { mirror } = this.#options;
    const view = mirror.acquire();
    const trees = this.#isAtWork || this.#done.has(view) ? [] : treesOf(view);
    mirror.release(view);
    if (trees.length === 0) return;
    if (this.#met.size > MOST_MET) this.#met = new DigestMap();
    this.#isAtWork = true;
    void this.#hashAll(trees)
      .then(() => this.#done.add(view))
      // Only an abort ends it early.
      .catch(() => {})
      .finally(() => {
        this.#isAtWork = false;
      });
  }

  /** @param waiting is used up, from its end */
  async #hashAll(waiting: BlockId[]): Promise<void> {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (next.codec === RAW || !this.#met.add(next.digest, 0, 0)) continue;
      try {
        await this.#look(next, waiting);
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
      }
    }
  }

  /** A view is held for one block or file: the home may change meanwhile, and what it has let go of is then passed over. */
  async #look(id: BlockId, waiting: BlockId[]): Promise<void> {
    const { mirror, hashes, signal } = this.#options;
    const view = mirror.acquire();
    try {
      const node = await this.#paced(async () => decodeNode(await view.blocks.read(id.digest)));
      if (node.type === 'directory' || node.type === 'hamt') for (const link of this.#inOwnOrder(node.links)) waiting.push(link);
      else if (node.type === 'file' && !isOneLeaf(node) && !hashes.isHashed(id.digest)) await this.#hash(id, view);
    } finally {
      mirror.release(view);
    }
    signal.throwIfAborted();
  }

  /** Several processes of one server begin at different places, so that seldom two of them hash the same file. */
  #inOwnOrder(all: readonly Root[]): BlockId[] {
    const links = all.filter(({ dagSize }) => dagSize > MOST_PASSED_OVER);
    const from = links.length === 0 ? 0 : this.#place % links.length;
    return [...links.slice(from), ...links.slice(0, from)].map(({ codec, digest }) => ({ codec, digest }));
  }

  async #hash(id: BlockId, view: MirrorView): Promise<void> {
    const hash = createHash('sha256');
    const data = dataOf(await readEntry(id, view.blocks), view.blocks, new Repetition());
    try {
      while (
        await this.#paced(async () => {
          const { done, value } = await data.next();
          if (value !== undefined) hash.update(value);
          return done !== true;
        })
      );
    } finally {
      await data.return(undefined);
    }
    this.#options.hashes.add(hash.digest(), id.digest);
  }

  async #paced<T>(step: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const result = await step();
    await sleep(Math.min(1000, performance.now() - began), this.#options.signal);
    return result;
  }
}

/** The newest last. */
function treesOf({ repositories }: MirrorView): BlockId[] {
  const snapshots = [...repositories.values()].flatMap((repository) => repository.snapshots);
  return snapshots.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time)).map(({ tree }) => parseCid(tree));
}
