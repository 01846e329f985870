/** Hashes the files of a mirror whose sha256 no block says, in the background: one after the other, with a pause after each block. */
import { createHash } from 'node:crypto';
import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, RAW, type Root } from '../../core/model.ts';
import { sleep } from '../../core/waiting.ts';
import { parseCid } from '../../dag/cid.ts';
import { decodeNode, onlyLeafOf } from '../../dag/node-reader.ts';
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

/** When more are remembered, 44 to 88 bytes each, all are looked at again: those of snapshots that are gone would stay for ever. */
const MOST_MET = 1_000_000;

/** Leave to go over the files, which one process of a server has at a time. */
export interface HashingTurn {
  /** The trees that the process before has gone over to the end, as `end` was told. */
  readonly done: string | undefined;
  /** Lets the next one. @param done names the trees that this process has gone over; undefined when it has not come to the end */
  end(done: string | undefined): void;
}

export interface HashingOptions {
  readonly mirror: Mirror;
  readonly hashes: FileHashes;
  /** Waits until no other process of this server goes over the files. Absent where one process serves alone. */
  readonly turn?: (() => Promise<HashingTurn>) | undefined;
  readonly signal: AbortSignal;
}

export class Hashing {
  readonly #options: HashingOptions;
  /** Directories and large files that were looked at: most of a snapshot stands in the one before it, too. */
  #met = new DigestMap();
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
    const { mirror, hashes } = this.#options;
    if (this.#isAtWork || hashes.isFull) return;
    const view = mirror.acquire();
    const trees = this.#done.has(view) ? [] : treesOf(view);
    mirror.release(view);
    if (trees.length === 0) return;
    if (this.#met.size > MOST_MET) this.#met = new DigestMap();
    this.#isAtWork = true;
    void this.#hashInTurn(trees)
      .then(() => this.#done.add(view))
      // Only an abort ends it early.
      .catch(() => {})
      .finally(() => {
        this.#isAtWork = false;
      });
  }

  async #hashInTurn(trees: BlockId[]): Promise<void> {
    const { turn } = this.#options;
    if (turn === undefined) return await this.#hashAll(trees);
    const names = trees.map(({ digest }) => Buffer.from(digest).toString('base64')).join(' ');
    const own = await turn();
    let done: string | undefined;
    try {
      // What the process before has found is in the list that all processes read.
      if (own.done !== names) await this.#hashAll(trees);
      done = names;
    } finally {
      own.end(done);
    }
  }

  /** @param waiting is used up, from its end */
  async #hashAll(waiting: BlockId[]): Promise<void> {
    for (let next = waiting.pop(); next !== undefined && !this.#options.hashes.isFull; next = waiting.pop()) {
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
      if (node.type === 'directory' || node.type === 'hamt') waiting.push(...largeOf(node.links));
      else if (node.type === 'file' && onlyLeafOf(node) === undefined && !hashes.isHashed(id.digest)) await this.#hash(id, view);
    } finally {
      mirror.release(view);
    }
    signal.throwIfAborted();
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

function largeOf(links: readonly Root[]): BlockId[] {
  return links.filter(({ dagSize }) => dagSize > MOST_PASSED_OVER).map(({ codec, digest }) => ({ codec, digest }));
}

/** The newest last. */
function treesOf({ repositories }: MirrorView): BlockId[] {
  const snapshots = [...repositories.values()].flatMap((repository) => repository.snapshots);
  return snapshots.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time)).map(({ tree }) => parseCid(tree));
}
