/**
 * Keeps the CARs of a file open from the first byte of an answer to its last, however slowly its client reads: another run may remove them
 * meanwhile, and what is open stays readable. All who read the same bytes of a file through the same view share what is kept.
 */
import { Turns } from '../../core/event-loop.ts';
import { type BlockId, RAW } from '../../core/model.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import type { Extent, OpenFile } from '../stored/stored-blocks.ts';
import { type FileBlocks, type FileToRead, leavesOf } from './file-leaves.ts';

/** For one file: 8 GiB in shards of the usual size. Each takes a descriptor or two, which all who read the shard share. */
const MOST_FILES = 64;
/** For all files together. Who comes later reads on without: only what is removed meanwhile is missing then. */
const MOST_IN_ALL = 128;
/** So many leaves are looked up, which takes about 50 ms: a stranger's file may link the same few without end. */
const MOST_LEAVES = 16_384;
const TURN_MS = 2;

/** Those that are kept, and for how many files. */
const kept = new Map<OpenFile, number>();
/** By the blocks of a view. */
const holdsOf = new WeakMap<FileBlocks, Map<string, Hold>>();

/**
 * Opens the CARs on this machine that have the bytes from `from` on and before `to`, beside whatever else is done, and keeps them open.
 * @param file whose node may be missing: it is read then @returns lets go of them, and resolves when nothing is read any more
 */
export function holdFiles(file: BlockId & Partial<FileToRead>, from: number, to: number, blocks: FileBlocks): () => Promise<void> {
  const view = blocks.ofView ?? blocks;
  const holds = holdsOf.get(view) ?? new Map<string, Hold>();
  holdsOf.set(view, holds);
  const key = `${Buffer.from(file.digest).toString('base64')} ${from} ${to}`;
  const hold = holds.get(key) ?? new Hold(file, from, to, view);
  holds.set(key, hold);
  hold.users++;
  return async () => {
    if (--hold.users > 0) return;
    holds.delete(key);
    await hold.end();
  };
}

class Hold {
  users = 0;
  readonly #files = new Set<OpenFile>();
  readonly #opened: Promise<void>;
  #isOver = false;

  constructor(file: BlockId & Partial<FileToRead>, from: number, to: number, blocks: FileBlocks) {
    // Whoever reads the file is told what is wrong.
    this.#opened = this.#open(file, from, to, blocks).catch(() => {});
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#opened;
    for (const file of this.#files) {
      const others = (kept.get(file) ?? 1) - 1;
      if (others === 0) kept.delete(file);
      else kept.set(file, others);
      file.release();
    }
    this.#files.clear();
  }

  async #open({ codec, digest, node }: BlockId & Partial<FileToRead>, from: number, to: number, blocks: FileBlocks): Promise<void> {
    const turns = new Turns(undefined, TURN_MS);
    // The nodes of a large file are read again whenever its body goes on.
    const withNodes: FileBlocks = {
      read: async (id) => {
        const bytes = await blocks.read(id);
        this.#keep(blocks.extentNow(id));
        return bytes;
      },
      sizeOf: (id) => blocks.sizeOf(id),
      extentOf: (id) => blocks.extentOf(id),
      extentNow: (id) => blocks.extentNow(id),
    };
    const root = codec === RAW ? undefined : (node ?? decodeNode(await withNodes.read(digest)));
    if (node !== undefined) this.#keep(blocks.extentNow(digest));
    let leaves = 0;
    for await (const part of leavesOf({ codec, digest, node: root }, from, to, withNodes)) {
      if (turns.isDue) await turns.give();
      if (this.#isOver || ++leaves > MOST_LEAVES || this.#files.size === MOST_FILES) return;
      if ('leaf' in part) this.#keep(blocks.extentNow(part.leaf.digest) ?? (await blocks.extentOf(part.leaf.digest)));
    }
  }

  #keep(extent: Extent | undefined): void {
    if (extent === undefined || this.#files.has(extent.file)) return;
    const { file } = extent;
    const others = kept.get(file) ?? 0;
    if (others === 0 && kept.size >= MOST_IN_ALL) return;
    kept.set(file, others + 1);
    file.hold();
    this.#files.add(file);
  }
}
