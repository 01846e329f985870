/**
 * What happens during a run, as data. Stages never print: they emit these, and a reporter shows them.
 * With `--json` each is one line of output, so the shapes are part of the interface.
 */

/** Why an entry of the source is not, or not quite, in the snapshot. */
export type EntryProblem = 'unreadable' | 'vanished' | 'changed' | 'special';

export type Event =
  /** The scan has come this far: totals so far, `done` when they are final. */
  | { type: 'scan'; files: number; directories: number; symlinks: number; bytes: number; done: boolean }
  /** Files taken care of so far (imported or found unchanged) and their bytes. */
  | { type: 'import'; files: number; bytes: number; unchanged: number }
  /** One entry could not be taken as it is. `path` is escaped for display; `kept` if the parent's version stays. */
  | { type: 'entry'; problem: EntryProblem; path: string; detail: string; kept?: boolean }
  /** A shard was closed; it is not placed yet. */
  | { type: 'sealed'; shard: number; cid: string; bytes: number; blocks: number }
  /** A shard is on all peers of its allocation, confirmed. */
  | { type: 'placed'; shard: number; cid: string; bytes: number; peers: readonly string[] }
  /** A peer's space, seen at the start and after each placement. */
  | { type: 'peer'; name: string; freeBytes: number; usedBytes: number }
  /** Something that the user should know and that does not stop the run. */
  | { type: 'warning'; message: string; hint?: string }
  /** One finding of `verify`. */
  | { type: 'damage'; what: string; where: string; detail: string }
  /** `verify` and `get` have come this far. */
  | { type: 'progress'; label: string; done: number; total: number; bytes: number }
  /** The final word of `add`. */
  | ({ type: 'summary' } & Summary);

export interface Summary {
  readonly repository: string;
  readonly snapshot: string;
  readonly number: number;
  readonly tree: string;
  /** True when nothing differed from the parent and no new snapshot was made. */
  readonly unchanged: boolean;
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly bytes: number;
  readonly newFiles: number;
  readonly newBlocks: number;
  readonly newBytes: number;
  readonly newShards: number;
  readonly peers: readonly { name: string; freeBefore: number; freeAfter: number; placedBytes: number }[];
  readonly problems: { readonly unreadable: number; readonly vanished: number; readonly changed: number; readonly special: number };
  readonly seconds: number;
}

/** Where events go. */
export type Emit = (event: Event) => void;
