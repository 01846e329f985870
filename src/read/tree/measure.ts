/**
 * Computes how large a tree is when each directory is written out as often as it occurs. A directory with two names for a directory with
 * two names, and so on for fifty levels, takes 51 blocks and has 2^50 directories. Each node is read once here, so a walk that writes
 * out a tree can ask beforehand whether the tree has an end.
 */

import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import { type BlockId, type ByteString, DIRECTORY, type EntryCounts, FILE, RAW } from '../../core/model.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import type { Blocks } from '../blocks/block-source.ts';
import { assertFileBytes, assertFileNode, assertSize } from './file-data.ts';
import { BoundlessTree, FREE_PARTS, MOST_REPEATED } from './repetition.ts';
import { linksOf, readEntry, type TreeEntry, type TreeLink } from './tree.ts';

/** So many entries a tree may have, whatever they are made of. */
const FREE_ENTRIES = 100_000;
/** So many bytes a tree may have, whatever they are made of: the largest file of ext4, which may be an empty disk image. */
const FREE_BYTES = 16 * 2 ** 40;
/** The most directories inside one another. A path, OUT included, has at most 4,096 bytes. */
const MOST_LEVELS = 2000;

/** The size of a tree when it is written out. */
export interface Measured {
  readonly counts: EntryCounts;
  /** Of all files. */
  readonly bytes: number;
}

export interface MeasureOptions {
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
}

/** The blocks that came in, of which the tree is made. */
export interface Received {
  /** Total size of all of them. */
  readonly bytes: number;
  /** Size of one leaf. */
  readonly leafBytes: (digest: Uint8Array) => Promise<number>;
}

/**
 * Measures a tree that came from a stranger, before it is stored. Checks that each part of each file is there and has the size that
 * the node above it says.
 * @throws BoundlessTree; ShardctlError `DAMAGE` when a part is missing or has another size
 */
export async function measureReceived(root: TreeEntry, options: MeasureOptions, received: Received): Promise<Measured> {
  return await new Measuring(options, received).tree(root);
}

/**
 * Measures what can be read of a stored tree: believes the sizes that files claim, and counts an entry that cannot be read as an
 * empty file, because the walk that follows meets it again and reports it.
 * @throws BoundlessTree
 */
export async function measureReadable(root: TreeEntry, options: MeasureOptions): Promise<Measured> {
  return await new Measuring(options).tree(root);
}

/** The size of an entry with everything below it. */
interface Below extends Measured {
  /** How many leaves are read when all of it is written out. */
  readonly parts: number;
  /** How many levels of directories it has. */
  readonly levels: number;
}

class Measuring {
  readonly #options: MeasureOptions;
  /** Undefined for a stored tree, of which only what can be read is measured. */
  readonly #received: Received | undefined;
  readonly #turns: Turns;
  /** By digest. */
  readonly #directories = new Map<string, Below>();
  /** Bytes of the file below each node of one. */
  readonly #fileBytes = new DigestMap();
  /** Levels of nodes from each file node down, itself included, where there are more than one. */
  readonly #fileLevels = new DigestMap();
  /** How many leaves are read below each file node, where it is not one. */
  readonly #fileParts = new DigestMap();
  /** Links in all different file nodes. */
  #fileLinks = 0;
  /** Names in all different directories: what the entries are made of. */
  #names = 1;

  constructor(options: MeasureOptions, received?: Received) {
    this.#options = options;
    this.#received = received;
    this.#turns = new Turns(options.signal);
  }

  async tree(root: TreeEntry): Promise<Measured> {
    const { counts, bytes, parts } = await this.#directory(root, 1);
    const { files, directories, symlinks } = counts;
    const entries = files + directories + symlinks;
    if (entries > FREE_ENTRIES && entries > this.#names * MOST_REPEATED)
      throw new BoundlessTree(`has ${numberText(entries)} entries, made of ${formatCount(this.#names)}`);
    const received = this.#received;
    if (!Number.isSafeInteger(bytes)) throw new BoundlessTree('has more bytes than anybody can count');
    if (received !== undefined && bytes > FREE_BYTES && bytes > received.bytes * MOST_REPEATED)
      throw new BoundlessTree(`has ${formatSize(bytes)} in its files, made of ${formatSize(received.bytes)}`);
    const madeOf = this.#names + this.#fileLinks;
    if (parts > FREE_PARTS && parts > madeOf * MOST_REPEATED)
      throw new BoundlessTree(`has ${numberText(parts)} parts of files, made of ${formatCount(madeOf)}`);
    return { counts, bytes };
  }

  async #directory(directory: TreeEntry, level: number): Promise<Below> {
    if (level > MOST_LEVELS) throw tooDeep();
    const counts = { files: 0, directories: 1, symlinks: 0 };
    let [bytes, parts] = [0, 0];
    let levels = 1;
    const { blocks, signal } = this.#options;
    const isLenient = this.#received === undefined;
    const links = await linksOf(directory, blocks, isLenient ? () => signal.throwIfAborted() : undefined);
    this.#names += links.length;
    for (const link of links) {
      await this.#turns.give();
      const below = isLenient ? await this.#orNothing(link, level) : await this.#entry(link, level);
      counts.files += below.counts.files;
      counts.directories += below.counts.directories;
      counts.symlinks += below.counts.symlinks;
      bytes += below.bytes;
      parts += below.parts;
      levels = Math.max(levels, below.levels + 1);
    }
    if (levels > MOST_LEVELS) throw tooDeep();
    return { counts, bytes, parts, levels };
  }

  async #orNothing(link: TreeLink, level: number): Promise<Below> {
    try {
      return await this.#entry(link, level);
    } catch (error) {
      if (this.#options.signal.aborted || error instanceof BoundlessTree || !(error instanceof ShardctlError)) throw error;
      return fileOf(0);
    }
  }

  async #entry(link: TreeLink, level: number): Promise<Below> {
    const { blocks } = this.#options;
    const received = this.#received;
    // Without `received` a leaf is not read and counts as 0 bytes: its link gives no size, and it can have no more than one block.
    if (link.codec === RAW) return fileOf((await received?.leafBytes(link.digest)) ?? 0);
    const key = Buffer.from(link.digest).toString('latin1');
    const known = this.#directories.get(key);
    if (known !== undefined) return known;
    const met = this.#fileBytes.get(link.digest);
    if (met !== undefined) return fileOf(met, this.#partsOf(link));
    const entry = await readEntry(link, blocks);
    if (entry.kind === FILE) return received === undefined ? fileOf(entry.size) : fileOf(await this.#file(entry, 1), this.#partsOf(entry));
    if (entry.kind !== DIRECTORY) return { counts: { files: 0, directories: 0, symlinks: 1 }, bytes: 0, parts: 0, levels: 0 };
    const below = await this.#directory(entry, level + 1);
    this.#directories.set(key, below);
    return below;
  }

  /** The bytes of a file from this node down. Checks that each part is there and has the size that the node says. */
  async #file(id: BlockId, level: number): Promise<number> {
    const { blocks } = this.#options;
    const received = this.#received;
    if (id.codec === RAW) return (await received?.leafBytes(id.digest)) ?? 0;
    const known = this.#fileBytes.get(id.digest);
    const node = known === undefined ? decodeNode(await blocks.read(id.digest)) : undefined;
    if (node === undefined) return known as number;
    assertFileNode(id, node, level);
    let bytes = node.data?.length ?? 0;
    let parts = 0;
    let levels = 1;
    this.#fileLinks += node.links.length;
    for (const [index, link] of node.links.entries()) {
      await this.#turns.give();
      const size = await this.#file(link, level + 1);
      assertSize(link, size, node.blockSizes[index]);
      bytes += size;
      // `dataOf` does not follow a link that claims 0 bytes, so it reads no leaves below it; an empty part without a claim is read.
      parts += size === 0 ? Number(node.blockSizes[index] === undefined) : this.#partsOf(link);
      if (link.codec !== RAW) levels = Math.max(levels, 1 + (this.#fileLevels.get(link.digest) ?? 1));
    }
    assertFileNode(id, node, levels);
    assertFileBytes(id, node, bytes);
    this.#fileBytes.add(id.digest, 0, bytes);
    if (levels > 1) this.#fileLevels.add(id.digest, 0, levels);
    if (node.links.length > 0 && parts !== 1) this.#fileParts.add(id.digest, 0, parts);
    return bytes;
  }

  #partsOf({ codec, digest }: BlockId): number {
    return codec === RAW ? 1 : (this.#fileParts.get(digest) ?? 1);
  }
}

function fileOf(bytes: number, parts = 1): Below {
  return { counts: { files: 1, directories: 0, symlinks: 0 }, bytes, parts, levels: 0 };
}

/** @throws BoundlessTree when a path has more names than any system takes */
export function assertReachable(path: ByteString): void {
  if (path.length > MOST_LEVELS && path.split('/').length > MOST_LEVELS) throw tooDeep();
}

function tooDeep(): BoundlessTree {
  return new BoundlessTree(`has more than ${formatCount(MOST_LEVELS)} directories in one another: no path is that long`);
}

function numberText(n: number): string {
  return Number.isSafeInteger(n) ? formatCount(n) : 'more than 2^53';
}
