/**
 * Cuts the walk into tasks for the workers. In: the walk, with each entry's state. Out: the same steps in the same order, and before
 * the `filled` of each directory the tasks that import its files. Holds: one open group of small files, and the steps that wait behind it.
 *
 * A group spans directories: many mirrors keep one or two files in each, and a task for each would cost more than the file.
 */
import type { ByteString, CidProfile } from '../../core/model.ts';
import { FILE } from '../../core/model.ts';
import { CHANGED, type Directory, NEW } from '../../walk/directory.ts';
import { copyStat } from '../../walk/stat-columns.ts';
import type { FilledStep, WalkStep } from '../../walk/walk-step.ts';
import { LargeFile, newStatColumns } from './large-file.ts';
import { FILE_OVERHEAD_BYTES, type FilesTask, MAX_FILES_PER_TASK, type PieceTask, SLAB_BYTES } from './protocol.ts';

export type PlanItem =
  | WalkStep
  | FilledStep
  | { readonly kind: 'group'; readonly group: FileGroup }
  | { readonly kind: 'piece'; readonly file: LargeFile; readonly task: Omit<PieceTask, 'slab'>; readonly last: boolean }
  /** A file whose chunks are cut by its content: one after the other, on the main thread. */
  | { readonly kind: 'content-defined'; readonly directory: Directory; readonly index: number };

/**
 * Most steps that wait behind an open group, and most entries in their directories. Without a bound a large tree with few changes
 * would wait in memory for a group that never fills.
 */
const MAX_STEPS_BEHIND = 512;
const MAX_ENTRIES_BEHIND = 20_000;

export function* plan(steps: Iterable<WalkStep>, profile: CidProfile): Generator<PlanItem, void, void> {
  const { chunker } = profile;
  const singleChunk = chunker.kind === 'size' ? chunker.bytes : chunker.min;
  let group = new FileGroup();
  let behind: PlanItem[] = [];
  let entriesBehind = 0;
  function* flush(): Generator<PlanItem, void, void> {
    if (!group.isEmpty) yield { kind: 'group', group };
    group = new FileGroup();
    yield* behind;
    behind = [];
    entriesBehind = 0;
  }
  for (const step of steps) {
    if (step.kind === 'pause') {
      yield step;
      continue;
    }
    behind.push(step);
    if (step.kind === 'enter') {
      const { directory } = step;
      entriesBehind += directory.count;
      for (let i = 0; i < directory.count; i++) {
        if (directory.kinds[i] !== FILE || (directory.states[i] !== NEW && directory.states[i] !== CHANGED)) continue;
        if (directory.isResumed(i)) continue;
        const size = directory.sizeOf(i);
        if (size <= singleChunk) {
          if (!group.hasRoomFor(size)) yield* flush();
          group.add(directory, i, size);
        } else {
          yield* flush();
          if (chunker.kind === 'size') yield* piecesOf(directory, i, chunker.bytes);
          else yield { kind: 'content-defined', directory, index: i };
        }
      }
      behind.push({ kind: 'filled', directory });
    }
    if (group.isEmpty || behind.length > MAX_STEPS_BEHIND || entriesBehind > MAX_ENTRIES_BEHIND) yield* flush();
  }
  yield* flush();
}

function* piecesOf(directory: Directory, index: number, chunkBytes: number): Generator<PlanItem, void, void> {
  const file = new LargeFile(directory, index);
  for (const task of file.pieces(chunkBytes)) {
    // After a failure no further piece is read: a file of which stat says a petabyte may have ended long ago.
    const last = task.to === file.size || file.failure !== undefined;
    yield { kind: 'piece', file, task, last };
    if (last) return;
  }
}

/** Small files for one task. */
export class FileGroup {
  readonly directories: Directory[] = [];
  readonly indexes: number[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.indexes.length === 0;
  }

  hasRoomFor(size: number): boolean {
    return this.indexes.length < MAX_FILES_PER_TASK && this.#bytes + size + FILE_OVERHEAD_BYTES <= SLAB_BYTES;
  }

  add(directory: Directory, index: number, size: number): void {
    this.directories.push(directory);
    this.indexes.push(index);
    this.#bytes += size + FILE_OVERHEAD_BYTES;
  }

  task(slab: number): FilesTask {
    const { directories, indexes } = this;
    const count = indexes.length;
    const origins: ByteString[] = new Array(count);
    const columns = newStatColumns(count);
    const exactMtimes = new Map<number, bigint>();
    for (const [at, i] of indexes.entries()) {
      const directory = directories[at] as Directory;
      origins[at] = directory.originOf(i);
      copyStat(directory, i, columns, at);
      if (directory.exactMtimes?.has(i)) exactMtimes.set(at, directory.mtimeNs(i));
    }
    const { modes, ...expected } = columns;
    return { kind: 'files', slab, origins, modes, expected, exactMtimes };
  }
}
