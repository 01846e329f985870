/**
 * Which blocks a repository reaches: those of the trees of its snapshots, and of the snapshots' own directories. Follows the repository
 * from view to view: a tree that is new is walked as far as it differs from those before it. When a tree was forgotten, all that are left
 * are walked anew. Holds 10 to 16 bytes a block.
 */
import { Turns } from '../../core/event-loop.ts';
import { type BlockId, DAG_PB, RAW, type SnapshotRecord } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { readSnapshot } from '../../snapshot/snapshot-reader.ts';
import type { ServedRepository } from '../mirror.ts';
import { type Trace, Traces } from './traces.ts';

export interface WalkOptions {
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
  /** Told of a node that cannot be read: what is below it stays hidden. */
  readonly onTrouble: (error: unknown) => void;
}

/** What was walked: below each node that is here everything is, but below those that are left. */
interface Walked {
  readonly traces: Traces;
  /** CIDs of trees, or of snapshots. */
  readonly roots: Set<string>;
  /** Nodes that could not be read. */
  left: readonly BlockId[];
}

export class Reach {
  #trees = nothing();
  /** Of the snapshots' own directories. */
  #own = nothing();
  /** Counts how often blocks may have gone from it. */
  #losses = 0;

  has(trace: Trace): boolean {
    return this.#trees.traces.has(trace) || this.#own.traces.has(trace);
  }

  get losses(): number {
    return this.#losses;
  }

  get bytes(): number {
    return this.#trees.traces.bytes + this.#own.traces.bytes;
  }

  /** Whether it is what the repository reaches now, as far as could be read. */
  isOf({ snapshots }: ServedRepository): boolean {
    return (
      this.#trees.left.length === 0 && isSame(this.#trees.roots, snapshots.map(treeOf)) && isSame(this.#own.roots, snapshots.map(cidOf))
    );
  }

  /** Makes it what the repository reaches. Until then it is what it was, and new blocks are in it as they are found. */
  async follow({ snapshots }: ServedRepository, options: WalkOptions): Promise<void> {
    const trees = this.#startFor(this.#trees, snapshots.map(treeOf));
    await walkAgain(trees, options);
    for (const tree of snapshots.map(treeOf)) {
      if (trees.roots.has(tree)) continue;
      await walk([parseCid(tree)], trees, options);
      trees.roots.add(tree);
    }
    this.#trees = trees;
    const own = this.#startFor(this.#own, snapshots.map(cidOf));
    for (const cid of snapshots.map(cidOf)) {
      if (!own.roots.has(cid) && (await walkSnapshot(cid, own, options))) own.roots.add(cid);
    }
    this.#own = own;
  }

  /** What was walked before, or nothing when some of it is not wanted any more. */
  #startFor(walked: Walked, wanted: readonly string[]): Walked {
    if ([...walked.roots].every((root) => wanted.includes(root))) return walked;
    this.#losses++;
    return nothing();
  }
}

function treeOf({ tree }: SnapshotRecord): string {
  return tree;
}

function cidOf({ cid }: SnapshotRecord): string {
  return cid;
}

function nothing(): Walked {
  return { traces: new Traces(), roots: new Set(), left: [] };
}

function isSame(roots: ReadonlySet<string>, wanted: readonly string[]): boolean {
  return wanted.every((root) => roots.has(root)) && new Set(wanted).size === roots.size;
}

/** Looks again at the nodes that could not be read. */
async function walkAgain(walked: Walked, options: WalkOptions): Promise<void> {
  const { left } = walked;
  walked.left = [];
  await walk(left, walked, options, true);
}

/** @param isAgain the nodes were met before */
async function walk(nodes: readonly BlockId[], walked: Walked, { blocks, signal, onTrouble }: WalkOptions, isAgain = false): Promise<void> {
  const turns = new Turns(signal);
  const left: BlockId[] = [];
  const waiting: BlockId[] = isAgain ? [] : [...nodes];
  const open = async (node: BlockId) => {
    try {
      // Last in, first out: reversed, nodes are read in the order in which they were packed.
      for (const link of decodeNode(await blocks.read(node.digest)).links.toReversed()) waiting.push(link);
    } catch (error) {
      left.push({ codec: node.codec, digest: Uint8Array.from(node.digest) });
      onTrouble(error);
    }
  };
  try {
    if (isAgain) for (const node of nodes) await open(node);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (!walked.traces.add(next) || next.codec === RAW) continue;
      await open(next);
      await turns.give();
    }
  } finally {
    walked.left = [...walked.left, ...left];
  }
}

/** @returns false when it cannot be read */
async function walkSnapshot(cid: string, { traces }: Walked, { blocks, signal, onTrouble }: WalkOptions): Promise<boolean> {
  const turns = new Turns(signal);
  try {
    await readSnapshot(parseCid(cid), async (digest) => {
      await turns.give();
      traces.add({ codec: DAG_PB, digest });
      return await blocks.read(digest);
    });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    onTrouble(error);
    return false;
  }
}
