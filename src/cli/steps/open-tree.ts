/** Opens the trees that references name: their roots, and a source of their blocks. */

import { shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { warnings } from '../../core/events.ts';
import type { BlockId, ByteString, SnapshotRecord } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import type { Config } from '../../home/config.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { NotInTree } from '../../read/tree/tree.ts';
import { placedShards } from '../../restore/placed-shards.ts';
import type { ShardAccess } from '../../restore/shard-tables.ts';
import type { Context } from '../command-line/context.ts';
import { resolveRef } from '../command-line/ref.ts';
import { reading } from '../session/session.ts';

export interface OpenTree {
  /** The reference, as it was given, without slashes at its end. */
  readonly ref: string;
  readonly snapshot: SnapshotRecord;
  readonly root: BlockId;
  /** Inside the tree; empty for the tree itself. */
  readonly path: ByteString;
  readonly blocks: Blocks;
  /** How the tree's shards can be read as streams. */
  readonly shards: ShardAccess;
  /** Of the tree's CIDs: those of a profile of CIDv0 are shown as such. */
  readonly cidVersion: 0 | 1;
  /** Whether this home imported the tree from a source of its own: one that came from elsewhere may be anybody's. */
  readonly isOwn: boolean;
}

/** Runs `work` on the tree that a `REF[/PATH]` names. */
export async function withTree<T>(context: Context, ref: string, work: (tree: OpenTree, config: Config) => Promise<T>): Promise<T> {
  return await withTrees(context, [ref], async ([tree], config) => {
    if (tree === undefined) throw new Error(`no tree was opened for ${ref}`);
    return await work(tree, config);
  });
}

/** Runs `work` on the trees that some references name, in their order. */
export async function withTrees<T>(
  context: Context,
  refs: readonly string[],
  work: (trees: readonly OpenTree[], config: Config) => Promise<T>,
): Promise<T> {
  return await reading(context, async ({ config, index, peers }) => {
    const found = refs.map((ref) => resolveRef(ref, index));
    const blocks = placedBlocks(index, peers, {
      onTrouble: warnings((event) => context.reporter.event(event)),
      signal: context.signal,
    });
    const shards = placedShards(index, peers, blocks);
    try {
      return await work(
        found.map(({ snapshot, path }, at) => {
          const root = parseCid(snapshot.tree);
          const isOwn = snapshot.broughtBy === undefined && (index.repository(snapshot.repository)?.source ?? '') !== '';
          return { ref: (refs[at] ?? '').replace(/\/+$/, ''), snapshot, root, path, blocks, shards, cidVersion: root.version, isOwn };
        }),
        config,
      );
    } catch (error) {
      throw withHint(error, refs);
    } finally {
      await blocks.close();
    }
  });
}

/** Adds the command that lists the tree: the reader knows its root, and only this place the name that the user gave. */
function withHint(error: unknown, refs: readonly string[]): unknown {
  if (!(error instanceof NotInTree)) return error;
  const [name = ''] = (refs.find((ref) => ref.includes('/')) ?? '').split('/');
  return new ShardctlError(error.code, error.message, { hint: `\`shardctl ls ${shellWord(name)}\` shows what is there`, cause: error });
}
