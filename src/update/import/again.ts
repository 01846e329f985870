/**
 * A file that changed while it was read is read again, a few times, with the rest of the run waiting: order is kept.
 * The last time it is taken as it comes: one consistent length whose blocks sum to it, never half of each (the entry is
 * marked so that the next run reads it once more).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { displayPath } from '../../core/display.ts';
import { isPassing } from '../../core/errno.ts';
import { errnoOf, reasonOf } from '../../core/errors.ts';
import { FILE } from '../../core/model.ts';
import { partsOf } from '../../core/path-bytes.ts';
import { type BlockBatch, NONE_FINISHED, ownBlocks } from '../../shard/batch.ts';
import { lookAgain } from '../../source/look.ts';
import type { Directory } from '../../walk/directory.ts';
import { entryStat } from '../../walk/entry-stat.ts';
import { importByContent } from './by-content.ts';
import { entryPath, giveUp, type ImportContext } from './context.ts';
import { LargeFile } from './large-file.ts';
import type { FileFailure, SegmentResult } from './protocol.ts';

const ATTEMPTS = 3;
const PAUSE_MS = 50;

export async function* importAgain(
  context: ImportContext,
  directory: Directory,
  index: number,
  first: FileFailure,
): AsyncGenerator<BlockBatch, void, void> {
  let failure: FileFailure | undefined = first;
  for (let attempt = 1; failure !== undefined; attempt++) {
    // Also one that was taken as it comes, and is said to be replaced all the same: its file system gives strange errnos.
    if (attempt > ATTEMPTS || (failure.errno !== undefined && !isPassing(failure.errno))) {
      giveUp(context, directory, index, failure);
      return;
    }
    if (failure.isMisstated !== true) await sleep(PAUSE_MS * attempt, undefined, { signal: context.signal });
    failure = restat(context, directory, index);
    if (failure !== undefined) continue;
    const accept = attempt >= ATTEMPTS;
    if (accept) directory.markStale(index);
    failure = yield* importOnce(context, directory, index, accept);
    if (failure === undefined && accept) {
      const path = displayPath(entryPath(directory, index));
      context.emit({
        type: 'entry',
        problem: 'changed',
        path,
        detail: `it kept changing while it was read: taken as it was at the last of ${ATTEMPTS + 1} reads`,
      });
    }
  }
}

/** Imports one file out of turn, with the rest of the run waiting. */
export async function* importAlone(context: ImportContext, directory: Directory, index: number): AsyncGenerator<BlockBatch, void, void> {
  const failure = restat(context, directory, index) ?? (yield* importOnce(context, directory, index, false));
  if (failure !== undefined) yield* importAgain(context, directory, index, failure);
}

/** Takes the entry's present stat data; a failure if there are none, or if it is no file any more. */
function restat(context: ImportContext, directory: Directory, index: number): FileFailure | undefined {
  try {
    const { above, name } = partsOf(directory.originOf(index));
    const stat = lookAgain(context.reach, above, name);
    if (!stat.isFile()) return { index, errno: 'ENOENT', detail: 'it was replaced by something that is not a file' };
    directory.setStat(index, FILE, entryStat(stat));
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return { index, errno, detail: reasonOf(error) };
  }
}

/** Reads the file to its end, wherever that is: what stat says of its length was wrong before, or is old by now. */
async function* importOnce(
  context: ImportContext,
  directory: Directory,
  index: number,
  accept: boolean,
): AsyncGenerator<BlockBatch, FileFailure | undefined, void> {
  const { pool, profile, signal } = context;
  const { chunker } = profile;
  if (chunker.kind !== 'size') return yield* importByContent(context, directory, index, accept);
  const file = new LargeFile(directory, index);
  for (const task of file.segmentsToEnd(chunker.bytes, accept)) {
    signal.throwIfAborted();
    const result = (await pool.submit({ ...task, slab: pool.spareSlab })) as SegmentResult;
    // The spare slab may be needed again before these blocks are written, so they get memory of their own.
    const batch = Buffer.from(pool.batch(pool.spareSlab, result.batchBytes));
    file.add(result, batch);
    if (file.failure !== undefined) return file.failure;
    yield ownBlocks(batch, NONE_FINISHED);
    if (result.atEnd) break;
  }
  yield await file.finish(context);
  return undefined;
}
