/** What the rooms of `serve` know of the home that is served: repositories, snapshots and blocks, as they are now. */
import type { SnapshotRecord, Tags } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import type { StoredBlocks } from '../read/stored/stored-blocks.ts';

/** A repository that is served, by name. */
export interface ServedRepository {
  readonly name: string;
  readonly head: SnapshotRecord;
  /** All that are kept, oldest first; the head is the last one. */
  readonly snapshots: readonly SnapshotRecord[];
  readonly tags?: Tags | undefined;
}

/** The home at one moment. All that is read through it stays readable until it is released, whatever other runs change meanwhile. */
export interface MirrorView {
  /** Those that `serve` was asked for, or all, in the order of their names. */
  readonly repositories: ReadonlyMap<string, ServedRepository>;
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly blocks: StoredBlocks;
}

export interface Mirror {
  /** The newest view, for who needs it no longer than to the next `await`. */
  readonly newest: MirrorView;
  /** The newest view. A request takes it once, uses it to its end, and releases it. */
  acquire(): MirrorView;
  release(view: MirrorView): void;
  /**
   * Resolves when the newest view has the heads that the home has now; undefined when it has them. Another process that serves the same
   * home may have shown a client the new head a moment ago: what it names must be found here, too.
   */
  catchUp?(): Promise<void> | undefined;
  /** Calls `listener` whenever there is a newer view. @returns ends that */
  onChange(listener: (view: MirrorView) => void): () => void;
}
