/** Finds the entries of trees by their paths, over and over, as a server is asked for them, and follows symlinks inside a tree. */
import { displayPath } from '../../core/display.ts';
import { type BlockId, type ByteString, DIRECTORY, type EntryKind, FILE, RAW, SYMLINK } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import type { DagNode } from '../../dag/node-reader.ts';
import type { Blocks } from '../blocks/block-source.ts';
import { type DecodedNode, DecodedNodes } from './decoded-nodes.ts';
import { NotInTree } from './tree.ts';

/** Symlinks that are followed on the way to one entry: as many as Linux follows. */
export const MOST_SYMLINKS = 40;
/** A longer target is not followed: Linux has none (PATH_MAX), and each of its parts is a step. */
const MOST_TARGET_BYTES = 4096;

/** An entry that was found by its path. */
export interface FoundEntry extends BlockId {
  readonly kind: EntryKind;
  /** The entry's own node. Undefined for a raw leaf: the file is that one block, and the block was not read. */
  readonly node: DagNode | undefined;
  /** Where the entry lies: the path that was asked for, with symlinks replaced by what they lead to. */
  readonly path: ByteString;
  /** The blocks on the way: the root, directories, nodes of HAMT directories, symlinks that were followed, and last the entry itself. */
  readonly way: readonly BlockId[];
}

export class TreePaths {
  readonly nodes: DecodedNodes;

  /** @param nodes decoded nodes that others may use, too */
  constructor(nodes: DecodedNodes = new DecodedNodes()) {
    this.nodes = nodes;
  }

  /**
   * The entry at `path` below `root`. Symlinks are followed, in the middle of the path and at its end; what leads out of the tree, or to
   * nothing in it, is not found. Empty parts of the path are skipped; `.` and `..` are names that no entry has.
   * @throws NotInTree when there is none: it says which part is not there, and why. ShardctlError `DAMAGE`
   */
  async find(root: BlockId, path: ByteString, blocks: Blocks): Promise<FoundEntry> {
    const names = path.split('/').filter((name) => name !== '');
    const odd = names.find((name) => name === '.' || name === '..');
    if (odd !== undefined) throw new NotInTree('NOT_FOUND', `no entry is named "${odd}"`);
    return await new Walk(this.nodes, blocks).find(root, names.reverse());
  }
}

/** A directory on the way from the root to where a walk stands. */
interface Level {
  readonly directory: DecodedNode;
  readonly path: ByteString;
}

/** One search. */
class Walk {
  readonly #nodes: DecodedNodes;
  readonly #blocks: Blocks;
  readonly #way: BlockId[] = [];
  /** From the root down to the directory in which the next name is looked up. */
  readonly #levels: Level[] = [];
  #followed = 0;

  constructor(nodes: DecodedNodes, blocks: Blocks) {
    this.#nodes = nodes;
    this.#blocks = blocks;
  }

  /** @param rest names still to go, the next one last; is used up */
  async find(root: BlockId, rest: ByteString[]): Promise<FoundEntry> {
    let found = await this.#enter(root, '');
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (found.kind !== DIRECTORY) throw notFound(found, name);
      found = await this.#step(found, name, rest);
    }
    return found;
  }

  async #step(from: FoundEntry, name: ByteString, rest: ByteString[]): Promise<FoundEntry> {
    if (name === '.') return from;
    if (name === '..') return this.#up(from);
    const link = await this.#nodes.linkNamed(this.#top.directory, name, this.#blocks, (id) => this.#way.push(id));
    if (link === undefined) throw notFound(from, name);
    const found = await this.#enter(link, joinBytes(from.path, name));
    if (found.kind !== SYMLINK) return found;
    for (const part of this.#targetOf(found)) rest.push(part);
    return this.#here();
  }

  async #enter({ codec, digest }: BlockId, path: ByteString): Promise<FoundEntry> {
    const id = { codec, digest };
    this.#way.push(id);
    if (codec === RAW) return { codec, digest, kind: FILE, node: undefined, path, way: this.#way };
    const decoded = await this.#nodes.read(id, this.#blocks);
    const { kind, node } = decoded;
    if (kind === DIRECTORY) this.#levels.push({ directory: decoded, path });
    // Spelled out: to spread `id` in here took 50 µs, a fifth of all that a server does for a file that it is asked for the first time.
    return { codec, digest, kind, node, path, way: this.#way };
  }

  #up(from: FoundEntry): FoundEntry {
    if (this.#levels.length === 1) throw leadsOut(from.path);
    this.#levels.pop();
    return this.#here();
  }

  /** The directory in which the walk stands. */
  #here(): FoundEntry {
    const { directory, path } = this.#top;
    const { codec, digest } = directory.id;
    return { codec, digest, kind: DIRECTORY, node: directory.node, path, way: this.#way };
  }

  get #top(): Level {
    const top = this.#levels.at(-1);
    if (top === undefined) throw new Error('a walk stands in a directory');
    return top;
  }

  /** The names of which a symlink's target is made, the first one last. */
  #targetOf({ node, path }: FoundEntry): ByteString[] {
    if (++this.#followed > MOST_SYMLINKS) throw new NotInTree('NOT_FOUND', `more than ${MOST_SYMLINKS} symlinks lead to one another`);
    const { data } = node ?? {};
    if (data === undefined || data.length === 0 || data.length > MOST_TARGET_BYTES || data.includes(0))
      throw new NotInTree('NOT_FOUND', `"${displayPath(path)}" is a symlink with a target that no file system takes`);
    const target = Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1');
    if (target.startsWith('/')) throw leadsOut(path);
    const names = target.split('/').filter((name) => name !== '');
    // A target that ends in a slash is a directory or nothing.
    return [...names, ...(target.endsWith('/') ? ['.'] : [])].reverse();
  }
}

function notFound({ kind, path }: FoundEntry, name: ByteString): NotInTree {
  const where = path === '' ? 'the tree' : `"${displayPath(path)}"`;
  const why = kind === SYMLINK ? ': it is a symlink' : kind === FILE ? ': it is a file' : '';
  return new NotInTree('NOT_FOUND', `there is no "${displayPath(name)}" in ${where}${why}`);
}

function leadsOut(path: ByteString): NotInTree {
  return new NotInTree('NOT_FOUND', `a symlink ${path === '' ? '' : `("${displayPath(path)}") `}leads out of the tree`);
}
