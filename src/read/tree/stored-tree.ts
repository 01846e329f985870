/** A stored tree as a gate's judges see it, and what differs between it and one that they have passed: see core/gate.ts. */
import { createHash } from 'node:crypto';
import { ShardctlError } from '../../core/errors.ts';
import type { JudgedEntry, JudgedTree, PathChange, StoredTree } from '../../core/gate.ts';
import { type BlockId, type ByteString, DIRECTORY, type EntryKind, FILE, RAW, SYMLINK } from '../../core/model.ts';
import { joinBytes, partsOf } from '../../core/path-bytes.ts';
import { type DagNode, onlyLeafOf } from '../../dag/node-reader.ts';
import type { Blocks } from '../blocks/block-source.ts';
import type { DecodedNode } from './decoded-nodes.ts';
import { dataOf } from './file-data.ts';
import { Repetition } from './repetition.ts';
import { linksOf, NotInTree, readEntry } from './tree.ts';
import { type FoundEntry, TreePaths } from './tree-paths.ts';

/** What an entry is read from. */
interface EntryBlock extends BlockId {
  readonly kind: EntryKind;
  /** Undefined for a file that is one raw block. */
  readonly node: DagNode | undefined;
  /** Bytes of a file that is one raw block. */
  readonly rawBytes: number;
}

/** A directory that was found, and where it lies. */
interface Directory {
  readonly node: DecodedNode;
  readonly at: ByteString;
}

export class TreeInShards implements StoredTree {
  readonly root: BlockId;
  readonly #blocks: Blocks;
  readonly #paths: TreePaths;
  /** The directory that was looked into last: judges ask one directory for several names. */
  #last: { readonly path: ByteString; readonly directory: Directory | undefined } | undefined;

  /** @param paths decoded directories, which trees of the same repository share */
  constructor(root: BlockId, blocks: Blocks, paths: TreePaths) {
    this.root = root;
    this.#blocks = blocks;
    this.#paths = paths;
  }

  async entry(path: ByteString): Promise<JudgedEntry | undefined> {
    const { above, name } = partsOf(path);
    if (name === '' || name === '.' || name === '..') return await this.#found(path);
    const directory = await this.#directory(above);
    const link = directory && (await this.#paths.nodes.linkNamed(directory.node, name, this.#blocks, () => {}));
    if (directory === undefined || link === undefined) return undefined;
    const { codec, digest } = link;
    const at = joinBytes(directory.at, name);
    // Of a raw block nobody but the block itself says how long it is; trees without modes and times alone have such files.
    if (codec === RAW)
      return judged({ codec, digest, kind: FILE, node: undefined, rawBytes: (await this.#blocks.read(digest)).length }, at);
    const { kind, node } = await this.#paths.nodes.glance({ codec, digest }, this.#blocks);
    return kind === SYMLINK ? await this.#found(path) : judged({ codec, digest, kind, node, rawBytes: 0 }, at);
  }

  async names(path: ByteString): Promise<readonly ByteString[]> {
    const directory = await this.#directory(path);
    if (directory === undefined) return [];
    return (await linksOf({ ...directory.node.id, kind: DIRECTORY, content: directory.node.node }, this.#blocks)).map(({ name }) => name);
  }

  async *bytes({ id, kind }: JudgedEntry): AsyncGenerator<Uint8Array> {
    if (kind !== FILE) throw new ShardctlError('USAGE', 'only a file has bytes');
    yield* dataOf(await readEntry(id, this.#blocks), this.#blocks, new Repetition());
  }

  /** The entry at a path, from the root on and over symlinks. */
  async #found(path: ByteString): Promise<JudgedEntry | undefined> {
    const found = await this.#at(path);
    if (found === undefined) return undefined;
    const rawBytes = found.codec === RAW ? (await this.#blocks.read(found.digest)).length : 0;
    return judged({ ...found, rawBytes }, found.path);
  }

  async #directory(path: ByteString): Promise<Directory | undefined> {
    if (this.#last?.path === path) return this.#last.directory;
    const found = await this.#at(path);
    const directory = found?.kind === DIRECTORY ? { node: await this.#paths.nodes.read(found, this.#blocks), at: found.path } : undefined;
    this.#last = { path, directory };
    return directory;
  }

  async #at(path: ByteString): Promise<FoundEntry | undefined> {
    try {
      return await this.#paths.find(this.root, path, this.#blocks);
    } catch (error) {
      if (error instanceof NotInTree) return undefined;
      throw error;
    }
  }
}

export interface TreesToJudge {
  readonly root: BlockId;
  /** Root of the tree that was passed before, if there is one. */
  readonly passed: BlockId | undefined;
  /** Root of the head's tree, where it is another one. */
  readonly head?: BlockId | undefined;
  /** What differs between `passed` and this tree, where somebody knows that: the two are not compared then. */
  readonly known?: readonly PathChange[] | undefined;
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
  /** See core/gate.ts; absent where there are no filters. */
  readonly leavesOut?: ((path: ByteString) => boolean) | undefined;
}

/** The tree that is to be judged, with the one that was passed before. */
export function treeToJudge({ root, passed, head, known, blocks: stored, signal, leavesOut = () => false }: TreesToJudge): JudgedTree {
  let kept: Blocks | undefined;
  const blocks: Blocks = { read: (digest) => (kept ?? stored).read(digest) };
  const paths = new TreePaths();
  const tree = new TreeInShards(root, blocks, paths);
  async function* changes(): AsyncGenerator<PathChange> {
    if (passed === undefined) return;
    if (known !== undefined) return yield* known;
    // Loaded where it is needed: mostly the run knows what differs.
    const [{ KeptBlocks }, { treeChanges }] = await Promise.all([import('../blocks/kept-blocks.ts'), import('./tree-changes.ts')]);
    kept = new KeptBlocks(stored);
    const [older, newer] = [await readEntry(passed, blocks), await readEntry(root, blocks)];
    for await (const change of treeChanges(older, newer, { blocks, signal })) {
      const { path, old, now } = change;
      yield { path, before: old?.kind, now: now?.kind };
    }
  }
  return {
    entry: (path) => tree.entry(path),
    names: (path) => tree.names(path),
    bytes: (file) => tree.bytes(file),
    passed: passed === undefined ? undefined : new TreeInShards(passed, blocks, paths),
    head: head === undefined ? undefined : new TreeInShards(head, blocks, paths),
    changes,
    leavesOut,
  };
}

function judged({ codec, digest, kind, node, rawBytes }: EntryBlock, at: ByteString): JudgedEntry {
  const size = kind === DIRECTORY ? 0 : (node?.fileBytes ?? rawBytes);
  return { kind, at, size, id: { codec, digest }, sha256: kind === FILE ? sha256Of(digest, node) : undefined, mtimeNs: node?.mtimeNs };
}

/** The hash of a file's bytes where no more than its root has to be read for it. */
function sha256Of(digest: Uint8Array, node: DagNode | undefined): Uint8Array | undefined {
  if (node === undefined) return digest;
  if (node.links.length === 0)
    return createHash('sha256')
      .update(node.data ?? new Uint8Array(0))
      .digest();
  return onlyLeafOf(node)?.digest;
}
