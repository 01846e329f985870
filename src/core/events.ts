/**
 * What happens during a run, as data. Stages never print: they emit these, and a reporter shows them.
 * With `--json` each is one line of output, so the shapes are part of the interface.
 */

import type { ContradictionWhat, GateKind, GateOutcome } from './verdict.ts';

/** Why an entry of the source is not, or not quite, in the snapshot. */
export type EntryProblem = 'unreadable' | 'vanished' | 'changed' | 'special';

/** Why an entry of a tree was not restored: none of its copies is intact, they are on peers that do not answer, or it cannot be made there. */
export type RestoreProblem = 'damaged' | 'away' | 'unwritable';

/** Why a symlink stays one: it leads out of the source, to nothing that can be stored, or to a directory that it is in. */
export type KeptLink = 'outside' | 'nowhere' | 'round';

export type Event =
  /** `add` or `update` begins with this repository; its last word is `summary` or `failed`. */
  | { type: 'started'; repository: string }
  /** The scan has come this far: totals so far, `done` when they are final. */
  | { type: 'scan'; files: number; directories: number; symlinks: number; bytes: number; done: boolean }
  /** Files taken care of so far (imported or found unchanged) and their bytes. */
  | { type: 'import'; files: number; bytes: number; unchanged: number }
  /** One entry could not be taken as it is. `path` is escaped for display; `kept` if the parent's version stays. */
  | { type: 'entry'; problem: EntryProblem; path: string; detail: string; kept?: boolean }
  /** With `--copy-links`: symlinks that stay symlinks, in the directories that were listed. `first` has one path of each kind, escaped for display. */
  | { type: 'links-kept'; counts: Readonly<Record<KeptLink, number>>; first: Readonly<Partial<Record<KeptLink, string>>> }
  /** A shard was sealed; it is not placed yet. */
  | { type: 'sealed'; shard: number; cid: string; bytes: number; blocks: number }
  /** A shard is on all peers of its allocation, confirmed. */
  | { type: 'placed'; shard: number; cid: string; bytes: number; peers: readonly string[] }
  /** A peer's space, seen at the start and after each placement. */
  | { type: 'peer'; name: string; freeBytes: number; usedBytes: number }
  /** A peer did not take a shard, and is asked again after a pause: nothing is wrong yet. */
  | { type: 'retry'; peer: string; what: string; seconds: number; reason: string }
  /**
   * Something that the user should know and that does not stop the run. Several warnings may have one `cause`, such as a peer that does
   * not answer or is full: people are told of each cause once. `peer`: whom it is about. `known`: an earlier run has told of it, and nothing is
   * different since.
   */
  | { type: 'warning'; peer?: string; message: string; hint?: string; cause?: string; known?: true }
  /** `get` goes on without this entry, and without what is below it. The first of each kind are named. `path` is escaped for display. */
  | { type: 'not-restored'; problem: RestoreProblem; path: string; detail: string }
  /** `ls`, `find` and `du` go on without this entry, and without what is below it. The first are named. `path` is escaped for display. */
  | { type: 'unread'; path: string; detail: string }
  /** One finding of `verify`: what was read is not what it should be, or is not there. */
  | { type: 'damage'; what: string; where: string; detail: string }
  /** `repair` leaves a shard on fewer peers than it must be on, of which nothing is damaged. `where`: those that have it; empty for none. */
  | { type: 'too-few'; what: string; where: string }
  /** A peer does not answer, and so nobody knows how it is with its `shards` shards; absent: with all of them. `known`: as in a warning. */
  | { type: 'no-answer'; peer: string; shards?: number; detail: string; known?: true }
  /**
   * A peer does not answer, and what it holds counts as there until then (`--grace`). RFC 3339. `replicas`: how many of each new shard are
   * asked for, and how many can be made meanwhile, where that is fewer.
   */
  | { type: 'waiting'; peer: string; until: string; detail: string; replicas?: { readonly asked: number; readonly made: number } }
  /** A peer answers again that was told to be silent, since then. RFC 3339. */
  | { type: 'back'; peer: string; since: string }
  /** `repair` has written a whole copy of a shard to a peer. */
  | { type: 'mended'; what: string; where: string }
  /** A shard is on another peer now (`to`), confirmed and recorded, and the old copy (`from`) does not count any more. */
  | { type: 'moved'; what: string; bytes: number; from?: string; to?: string }
  /** Shards that had fewer replicas than a repository asks for have got them. */
  | { type: 'raised'; replicas: number; bytes: number }
  /** `verify` and `get` have come this far. `total` and `totalBytes` are 0, or absent, where nobody knows them before the end. */
  | { type: 'progress'; label: string; done: number; total: number; bytes: number; totalBytes?: number }
  /** One difference from the parent, only when asked for. */
  | ({ type: 'change' } & Change)
  /** The final word of a dry run. */
  | ({ type: 'plan' } & Plan)
  /** `update --all` has nothing to do for this repository: it came from elsewhere, and has no source. */
  | { type: 'passed-over'; repository: string; reason: string }
  /** One repository of several could not be brought up to date; the run goes on with the others. */
  | { type: 'failed'; repository: string; code: string; message: string; hint?: string }
  /** One of several things that a run does has failed; the run goes on with the others. */
  | { type: 'step-failed'; step: string; code: string; message: string; hint?: string }
  /** At the end of `check`: so many shards are on fewer peers than asked for. */
  | { type: 'at-risk'; shards: number; bytes: number }
  /** One thing that an index of a repository says and its tree contradicts. `index`, the file that says it, and `path` are escaped for display. */
  | {
      type: 'contradiction';
      repository: string;
      number: number;
      kind: GateKind;
      what: ContradictionWhat;
      index: string;
      path: string;
      detail: string;
    }
  /**
   * The gate holds snapshot `number` of `time` back, or warns of it: it has `count` contradictions, of which `told` were told before this.
   * `head` is the snapshot that readers are given; null when there is none yet. None is told when all of them were by the run before.
   * The head has `asBefore` more, which are not counted here.
   */
  | {
      type: 'gate';
      repository: string;
      number: number;
      outcome: 'held' | 'warned';
      head: number | null;
      count: number;
      told: number;
      asBefore: number;
      time: string;
    }
  /** `watch` hears from now on of every change in so many directories of the source. */
  | { type: 'watching'; repository: string; directories: number }
  /** `watch` cannot hear what changes in the source, and looks at everything now and then. */
  | { type: 'not-watching'; repository: string; reason: string; hint: string }
  /** `watch` begins an update that is told of so many names; null: everything is looked at. */
  | { type: 'updating'; repository: string; names: number | null }
  /** That update has ended with this exit code; `againSeconds` says when it is tried again, null that it need not be. */
  | { type: 'updated'; repository: string; code: number; againSeconds: number | null }
  /** The final word of `add` and `update`, for each repository. */
  | ({ type: 'summary' } & Summary);

export interface Change {
  /** rsync's code of up to 11 characters, for example `>f.st......`, `cd+++++++++` or `*deleting`. */
  readonly itemize: string;
  /** From the root of the tree, escaped for display; the root itself is `.`. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink';
}

/** What a run would do. */
export interface Plan {
  readonly repository: string;
  /** The snapshot that it would start from. */
  readonly parent: string | null;
  /** Entries of the tree, without its root. */
  readonly entries: number;
  /** Entries that the parent does not have. */
  readonly newEntries: number;
  /** Entries whose content may differ from the parent's. */
  readonly changedEntries: number;
  /** Entries whose mode or mtime differs and nothing else. */
  readonly metadataEntries: number;
  /** Entries of the parent that are not in the source any more. */
  readonly deletedEntries: number;
  /** Files that would be read, and their bytes. */
  readonly readFiles: number;
  readonly readBytes: number;
  /** Files that need not be read: a run that was interrupted has imported them, and the shards that hold them are placed. */
  readonly resumedFiles: number;
  /** Shards that these bytes would fill if none of them were stored yet. */
  readonly newShards: number;
  /** Bytes free on each peer, now and after such shards. */
  readonly peers: readonly { name: string; freeBefore: number; freeAfter: number }[];
  /** Bytes of these shards for which too few peers have room: 0 when all of it fits. */
  readonly lackingBytes: number;
  readonly problems: Problems;
}

export type Problems = { readonly [Problem in EntryProblem]: number };

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
  /** Those of the new files that an interrupted run had imported: they were not read again. */
  readonly resumedFiles: number;
  /** Entries that are new, differ from the parent's, or are not there any more. */
  readonly changedEntries: number;
  readonly newBlocks: number;
  readonly newBytes: number;
  readonly newShards: number;
  readonly peers: readonly { name: string; freeBefore: number; freeAfter: number; placedBytes: number }[];
  readonly problems: Problems;
  /** What became of the snapshot at the gate; absent when none has judged it. */
  readonly gate?: {
    readonly outcome: GateOutcome;
    readonly kinds: readonly GateKind[];
    readonly count: number;
    readonly asBefore?: number;
    /** Files that indexes name and the filters leave out, of those that this run has looked for; absent for none. */
    readonly leftOut?: number;
    /** Programs without which some indexes could not be read, so that what these say is not compared; absent for none. */
    readonly lacking?: readonly string[];
  };
  /** True when the gate had held this snapshot back, and this run has made it the head: something else was asked of the gate. */
  readonly released?: true;
  /** Shards that were to get more replicas, and of which no whole copy can be read; absent for none. */
  readonly unreadableShards?: number;
  readonly seconds: number;
}

/** Where events go. */
export type Emit = (event: Event) => void;

type Warning = Extract<Event, { type: 'warning' }>;

/** That something of a peer has failed. @param what is not as it should be, after the peer's name */
export function peerWarning(peer: string, what: string, { message }: Error): Warning {
  return { type: 'warning', peer, message: `peer ${peer} ${what}: ${message}`, cause: message };
}

/** Makes warnings of what is told by one who knows no events. */
export function warnings(emit: Emit): (message: string, cause: string, peer?: string) => void {
  return (message, cause, peer) => emit({ type: 'warning', message, cause, ...(peer === undefined ? {} : { peer }) });
}
