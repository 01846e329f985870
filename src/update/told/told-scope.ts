/**
 * What a run looks at that was told what has changed: the told paths, the directories on the way to them, and all that is below a
 * directory that is new, gone, or told as a whole. The rest of the source is not looked at, and counts as it is in the parent.
 *
 * The pipeline is the same as for a whole source. It is given a walk that enters those directories only, and as much of the parent's
 * entries; a directory that the walk does not enter keeps the CID that it has there. Holds: all entries of the directories that it enters.
 */
import { errnoOf } from '../../core/errors.ts';
import { type ByteString, DIRECTORY, type SnapshotRecord } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import type { EntriesRecord } from '../../index/entries/hot-file.ts';
import { type EntriesLookup, SomeEntries } from '../../index/entries/some-entries.ts';
import type { Source } from '../../source/source.ts';
import { CID_COLUMN_BYTES, Directory, DROPPED, UNREADABLE } from '../../walk/directory.ts';
import { copyStat } from '../../walk/stat-columns.ts';
import type { SameSubtree, WalkStep } from '../../walk/walk-step.ts';
import { count } from '../scan/recall.ts';
import { inWalkOrder, report, statEntries, type WalkOptions, walkBelow } from '../scan/walk.ts';
import type { ToldEntry, ToldPaths } from './told-paths.ts';

export interface ToldScope {
  /** The parent's records of the directories that are looked at, and of those that are gone. */
  readonly entries: SomeEntries;
  /** What the parent has where the walk does not go. */
  readonly elsewhere: Omit<SameSubtree, 'ordinal' | 'length'>;
  walk(): Generator<WalkStep, void, void>;
}

export interface ToldScopeOptions extends Pick<WalkOptions, 'filter' | 'emit' | 'signal'> {
  readonly source: Pick<Source, 'handle' | 'reach' | 'looker'>;
  readonly told: ToldPaths;
  readonly parent: { readonly snapshot: Pick<SnapshotRecord, 'counts' | 'bytes'>; readonly entries: EntriesLookup };
}

/** A directory that was looked at, with those of its subdirectories that are walked, too. */
interface Visit {
  readonly directory: Directory;
  /** By position, in walk order: what was looked at, or a whole directory that is still to be listed. */
  readonly below: ReadonlyMap<number, Visit | 'to list'>;
}

/** @throws ShardctlError when the source cannot be looked at, EntriesDamaged */
export function toldScope(options: ToldScopeOptions): ToldScope {
  const { told, parent } = options;
  const replaced: EntriesRecord[] = [];
  const root = new Looking(options, replaced).visit('', undefined, -1, told.root);
  const seen = { files: 0, directories: 0, symlinks: 0, bytes: 0 };
  for (const record of replaced) count(record, seen);
  const { files, directories, symlinks } = parent.snapshot.counts;
  return {
    entries: new SomeEntries(parent.entries, replaced),
    elsewhere: {
      files: files - seen.files,
      // The root is no entry of a directory.
      directories: directories - 1 - seen.directories,
      symlinks: symlinks - seen.symlinks,
      bytes: parent.snapshot.bytes - seen.bytes,
    },
    walk: () => walkTold(root, options),
  };
}

class Looking {
  readonly #options: ToldScopeOptions;
  readonly #replaced: EntriesRecord[];

  /** @param replaced takes the parent's records, in walk order */
  constructor(options: ToldScopeOptions, replaced: EntriesRecord[]) {
    this.#options = options;
    this.#replaced = replaced;
  }

  /** Looks at the told entries of a directory that the parent has, too. */
  visit(path: ByteString, parent: Directory | undefined, indexInParent: number, told: ToldEntry): Visit {
    const { source, parent: snapshot } = this.#options;
    const record = snapshot.entries.find(path);
    if (record === undefined) throw new Error(`the parent has no directory "${path}"`);
    const entries = withVanished(told.below, record, snapshot.entries);
    const { directory, toldIndexes } = mergedDirectory(record, parent, indexInParent, entries);
    const look = { ...this.#options, mayBeGone: true };
    source.reach.inDirectory(path, (open) => statEntries(source, open, directory, toldIndexes, look));
    this.#replaced.push(record);
    return { directory, below: this.#below(directory, record, entries, toldIndexes) };
  }

  #below(directory: Directory, record: EntriesRecord, told: ToldEntries, toldIndexes: number[]): Map<number, Visit | 'to list'> {
    const { entries: lookup } = this.#options.parent;
    const below = new Map<number, Visit | 'to list'>();
    const kindBefore = new Map(record.names.map((name, at) => [name, record.kinds[at]]));
    for (const i of inWalkOrder(toldIndexes, directory)) {
      if (directory.states[i] === UNREADABLE) continue;
      const name = directory.nameOf(i);
      const path = joinBytes(directory.path, name);
      const isDirectory = directory.states[i] !== DROPPED && directory.kinds[i] === DIRECTORY;
      // One that vanished in the parent's run after it was listed has no record of its own.
      const wasDirectory = kindBefore.get(name) === DIRECTORY && lookup.find(path) !== undefined;
      const entry = told.get(name) as ToldEntry;
      if (isDirectory && wasDirectory && !entry.isWhole) {
        // Also one of which nothing below is told: mode and mtime are in its own node, which is made anew where the walk enters it.
        this.#visitBelow(below, directory, i, entry);
        continue;
      }
      if (wasDirectory) for (const gone of lookup.subtree(path)) this.#replaced.push(gone);
      if (isDirectory) below.set(i, 'to list');
    }
    return below;
  }

  /** A directory that cannot be opened stays as the parent has it. */
  #visitBelow(below: Map<number, Visit | 'to list'>, directory: Directory, i: number, entry: ToldEntry): void {
    const length = this.#replaced.length;
    try {
      below.set(i, this.visit(directory.pathOf(i), directory, i, entry));
    } catch (error) {
      if (errnoOf(error) === undefined || this.#replaced.length > length) throw error;
      report(directory, i, error, this.#options.emit);
    }
  }
}

type ToldEntries = ToldEntry['below'];

/** Told entries, and those subdirectories that vanished in the parent's run after they were listed: they have no CID there, and may be back. */
function withVanished(told: ToldEntries, record: EntriesRecord, parent: EntriesLookup): ToldEntries {
  const { cids } = parent.cold(record.ordinal, record.names.length);
  const vanished = record.names.filter((_, at) => record.kinds[at] === DIRECTORY && cids[at * CID_COLUMN_BYTES] === 0);
  if (vanished.length === 0) return told;
  return new Map([...told, ...vanished.map((name): [ByteString, ToldEntry] => [name, { below: new Map(), isWhole: true }])]);
}

/** A directory with the parent's entries and those that were told, in columns of its own. */
function mergedDirectory(record: EntriesRecord, parent: Directory | undefined, indexInParent: number, told: ToldEntries) {
  const known = new Set(record.names);
  const added = [...told.keys()].filter((name) => !known.has(name));
  const names = added.length === 0 ? record.names : [...record.names, ...added].sort();
  const directory = new Directory(record.path, parent, indexInParent, names);
  const toldIndexes: number[] = [];
  for (let i = 0, j = 0; i < names.length; i++) {
    const name = names[i] as ByteString;
    if (told.has(name)) toldIndexes.push(i);
    if (record.names[j] !== name) continue;
    copyStat(record, j, directory, i);
    directory.kinds[i] = record.kinds[j++] as number;
  }
  return { directory, toldIndexes };
}

function* walkTold(root: Visit, { source, ...options }: ToldScopeOptions): Generator<WalkStep, void, void> {
  yield* enter(root);
  function* enter({ directory, below }: Visit): Generator<WalkStep, void, void> {
    options.signal.throwIfAborted();
    yield { kind: 'enter', directory };
    for (const [i, it] of below) {
      if (it === 'to list') yield* walkBelow(source, directory, i, options);
      else yield* enter(it);
    }
    yield { kind: 'leave', directory };
  }
}
