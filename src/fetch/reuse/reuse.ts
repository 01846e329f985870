/**
 * Decides for each entry of a tree whether OUT, or what an interrupted run has left, has it already. Cheapest first: what the last run noted
 * and one look; the hash of what is there; a copy of what lies elsewhere in OUT; a copy of which only the leaves that differ are read.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type BlockId, type ByteString, DAG_PB, DIRECTORY, FILE } from '../../core/model.ts';
import { fsPath } from '../../core/path-bytes.ts';
import { removeFileSync } from '../../core/remove-file.ts';
import { hashesTo, sameDigest } from '../../dag/cid.ts';
import { PERMISSION_BITS } from '../../dag/unixfs-writer.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { readEntry, type TreeLink } from '../../read/tree/tree.ts';
import { BlocksAhead } from '../../restore/blocks-ahead.ts';
import type { Destination } from '../../restore/destination.ts';
import { type Look, lookOf, mtimeNsOf } from '../../source/look.ts';
import { READ_FILE } from '../../source/reach.ts';
import { kindOf } from '../../update/scan/kinds.ts';
import { TreeEntries } from '../known/tree-entries.ts';
import { type Decided, type Lacking, UnchangedEntries, type UnchangedOptions } from '../known/unchanged-entries.ts';
import type { OutDirectory } from '../out/out-directory.ts';
import { lookAt, placeIn } from '../out/places.ts';
import { removeTree } from '../out/removal.ts';
import { LeftOut, type LeftOutOptions } from './left-out.ts';
import { type LocalRootOptions, localRoot } from './local-root.ts';
import { copyFile, mendedCopy } from './mended-copy.ts';

/** What the nodes around the bytes of a file take at most, beside one part in a thousand. */
const MOST_AROUND_BYTES = 512;
/** A file with more than one leaf may be the same in part. */
const MOST_LEAF_BYTES = 1024 * 1024;

/** The block that lies before the root of a file in its shard, where both together are the whole file. */
export interface LeafBeside {
  readonly digest: Uint8Array;
  readonly length: number;
}

/** What is known of the shards without reading more than their manifests. */
export interface ShardKnowledge {
  /** Called before a block is asked for in them. */
  lookFor?(digest: Uint8Array): Promise<void>;
  leafBeside?(link: TreeLink): LeafBeside | undefined;
}

export interface ReuseOptions extends UnchangedOptions {
  readonly excludes: LeftOutOptions['excludes'];
  readonly out: OutDirectory;
  /** Where new entries are put together, under the paths that they will have in OUT. */
  readonly staging: ByteString;
  /** How the tree was made; undefined when nobody says: then nothing is found by its hash. */
  readonly local: LocalRootOptions | undefined;
  readonly blocks: Blocks;
  readonly shards: ShardKnowledge | undefined;
  readonly destination: Destination;
  /** Only tell what would be done. */
  readonly dryRun: boolean;
  /** A run before this one may have left something in the staging directory. */
  readonly resumes: boolean;
}

export class Reuse {
  /** Of all entries of the tree that were met: what OUT has or will have. */
  readonly entries: TreeEntries;
  /** Those that come from the staging directory. */
  readonly staged = new Set<ByteString>();
  /** Bytes of leaves that were read to mend copies. */
  readBytes = 0;
  /** Files that were copied within OUT. */
  copied = 0;
  /** Files and symlinks that are staged without being restored: copies, and what an interrupted run has left. */
  ready = 0;
  readonly leftOut: LeftOut;
  readonly #options: ReuseOptions;
  readonly #unchanged: UnchangedEntries;
  /** Of the directory that is looked into. */
  #ahead: BlocksAhead;

  constructor(options: ReuseOptions) {
    this.#options = options;
    const { known } = options;
    this.leftOut = new LeftOut({
      ...options,
      kindOf: (path, id) => {
        const row = known.get(path);
        return row !== undefined && known.columns.hasRoot(row, id) ? known.columns.kindAt(row) : undefined;
      },
    });
    this.entries = new TreeEntries(options.known);
    this.#unchanged = new UnchangedEntries(options, this.entries);
    this.#ahead = new BlocksAhead(options.blocks);
  }

  /**
   * @param directory path of a directory of the tree @param all its entries, in the order of their names
   * @param failed is told of an entry for which it cannot be found out
   * @returns those that must be restored from their blocks, into the staging directory
   */
  async mustCome(
    directory: ByteString,
    all: readonly TreeLink[],
    failed: (link: TreeLink, error: unknown) => void,
  ): Promise<readonly TreeLink[]> {
    const links = await this.leftOut.others(directory, all, failed);
    const decided: Decided[] = [];
    const lacking = this.#unchanged.note(directory, links, decided);
    const mendable = await this.#mendable(lacking.values());
    const coming: TreeLink[] = [];
    for (const [at, one] of lacking) {
      try {
        const look = await this.#found(one);
        decided[at] = { name: one.link.name, id: one.id, look };
        if (look !== undefined || (await this.#isStaged(one)) || this.#copiesMoved(one)) continue;
        const mayMend = one.isOther ? mendable.has(one) : await this.#mayMend(one);
        if (mayMend && (await this.#mends(one))) continue;
        this.staged.add(one.path);
        coming.push(one.link);
      } catch (error) {
        failed(one.link, error);
      }
    }
    this.entries.add(
      directory,
      decided.filter((entry) => entry !== undefined),
    );
    return coming;
  }

  /**
   * Of those that are known to have another root, the ones that OUT may have in part; asks for their roots, which will be read one after the
   * other. What nobody has noted is hashed first: mostly it is right, and its root is not needed.
   */
  async #mendable(lacking: Iterable<Lacking>): Promise<ReadonlySet<Lacking>> {
    const mendable = new Set<Lacking>();
    for (const one of lacking) if (one.isOther && (await this.#mayMend(one))) mendable.add(one);
    this.#ahead = new BlocksAhead(this.#options.blocks);
    this.#ahead.expect([...mendable].map(({ id }) => id.digest));
    return mendable;
  }

  async #mayMend({ path, link, there }: Lacking): Promise<boolean> {
    const { dryRun, shards, out } = this.#options;
    if (dryRun || link.codec !== DAG_PB || there === undefined || kindOf(there.mode) !== FILE) return false;
    if (link.dagSize > MOST_LEAF_BYTES && there.size > MOST_LEAF_BYTES) return true;
    if (!mayBe(there.size, link)) return false;
    await shards?.lookFor?.(link.digest);
    // By its manifest the file has one leaf: whether OUT has that is known without its root.
    const leaf = shards?.leafBeside?.(link);
    return leaf === undefined || (leaf.length === there.size && isContent(() => out.at(path), leaf));
  }

  /** By the hash of what lies there. */
  async #found({ path, link, id, there, isOther }: Lacking): Promise<Look | undefined> {
    if (there === undefined || isOther || kindOf(there.mode) === DIRECTORY || !mayBe(there.size, link)) return undefined;
    return (await this.#hasRoot(placeIn(this.#options.out.top, path), id)) ? there : undefined;
  }

  async #isStaged({ path, link, id }: Lacking): Promise<boolean> {
    if (!this.#options.resumes) return false;
    const at = placeIn(this.#options.staging, path);
    const stat = lookAt(at);
    if (stat === undefined) return false;
    if (stat.isDirectory()) {
      // A run for another tree may have left a directory where this tree has a file.
      if (link.codec !== DAG_PB || (await readEntry(link, this.#options.blocks)).kind !== DIRECTORY) removeTree(at);
      return false;
    }
    if (mayBe(Number(stat.size), link) && (await this.#hasRoot(at, id))) {
      this.staged.add(path);
      this.ready++;
      return true;
    }
    removeFileSync(fsPath(at));
    return false;
  }

  /** A file that has the same root as one elsewhere in OUT: renamed, or there twice. */
  #copiesMoved({ path, id }: Lacking): boolean {
    const { known, out, looks, staging, destination, dryRun } = this.#options;
    const from = known.withRoot(id);
    if (from === undefined || known.columns.kindAt(from.row) !== FILE || known.columns.codecAt(from.row) !== id.codec) return false;
    const look = looks.at(from.path);
    if (look === undefined || !known.columns.isAs(from.row, look)) return false;
    const to = placeIn(staging, path);
    if (!dryRun && !copyFile(out.at(from.path), to, (there) => known.columns.isAs(from.row, lookOf(there)))) return false;
    this.staged.add(path);
    this.ready++;
    if (dryRun) return true;
    const metadata = { mode: look.mode & PERMISSION_BITS, mtimeNs: mtimeNsOf(look) };
    destination.finishMade(openSync(fsPath(to), constants.O_RDONLY | constants.O_NOFOLLOW), { path: to, replaces: undefined }, metadata);
    this.copied++;
    return true;
  }

  async #mends({ path, link }: Lacking): Promise<boolean> {
    const { out, staging, blocks, destination } = this.#options;
    const entry = await readEntry(link, this.#ahead);
    if (entry.kind !== FILE) return false;
    const mended = await mendedCopy(out.at(path), placeIn(staging, path), entry, blocks, destination);
    if (mended === undefined) return false;
    this.staged.add(path);
    this.ready++;
    this.readBytes += mended.readBytes;
    return true;
  }

  async #hasRoot(path: ByteString, { codec, digest }: BlockId): Promise<boolean> {
    const { local } = this.#options;
    const root = local === undefined ? undefined : await localRoot(path, local);
    return root !== undefined && root.codec === codec && sameDigest(root.digest, digest);
  }
}

/** Whether a file has these bytes; what cannot be read has not. */
function isContent(path: () => ByteString, { digest, length }: LeafBeside): boolean {
  try {
    const fd = openSync(fsPath(path()), READ_FILE);
    try {
      const bytes = Buffer.allocUnsafe(length);
      return fstatSync(fd).isFile() && readSync(fd, bytes, 0, length, 0) === length && hashesTo(bytes, digest);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

/** Whether a file of this size may have this root: what a directory says of the size of a file is that of its blocks. */
function mayBe(size: number, { codec, dagSize }: TreeLink): boolean {
  if (codec !== DAG_PB) return size === dagSize;
  return size <= dagSize && dagSize - size <= MOST_AROUND_BYTES + size / 1000;
}
