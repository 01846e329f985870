/** What every part of the import stage works with. */
import { displayPath } from '../../core/display.ts';
import { isGone } from '../../core/errno.ts';
import type { Emit, EntryProblem } from '../../core/events.ts';
import type { ByteString, CidProfile, Metadata } from '../../core/model.ts';
import type { ParentEntries } from '../../index/entries/some-entries.ts';
import type { Reach } from '../../source/reach.ts';
import type { Directory } from '../../walk/directory.ts';
import type { ImportPool } from './pool.ts';
import type { FileFailure } from './protocol.ts';

export interface ImportContext {
  readonly reach: Reach;
  readonly profile: CidProfile;
  /** Mode and mtime go into the root node of each entry. */
  readonly metadata: boolean;
  /** Inode numbers do not tell one file from another (`Trust`). */
  readonly ignoreInode: boolean;
  readonly pool: ImportPool;
  /** The parent snapshot's entries. */
  readonly base: ParentEntries | undefined;
  /** A block of the parent's tree, by its digest. Throws ShardctlError when no peer gives it. */
  readonly readNode: (digest: Uint8Array) => Promise<Uint8Array>;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export function entryPath(directory: Directory, index: number): ByteString {
  return directory.pathOf(index);
}

export function metadataOf(context: ImportContext, directory: Directory, index: number): Metadata | undefined {
  return context.metadata ? { mode: directory.modeOf(index), mtimeNs: directory.mtimeNs(index) } : undefined;
}

/** Tells that an entry cannot be imported. If it is unreadable and the parent has it, the parent's version stays. */
export function giveUp(context: ImportContext, directory: Directory, index: number, failure: Omit<FileFailure, 'index'>): void {
  const problem: EntryProblem = isGone(failure.errno) ? 'vanished' : 'unreadable';
  const kept = problem === 'unreadable' && directory.keepOrDrop(index);
  if (!kept) directory.drop(index);
  context.emit({ type: 'entry', problem, path: displayPath(entryPath(directory, index)), detail: failure.detail, kept });
}
