/**
 * Reads a file again that changed while it was read, up to three times. The rest of the run waits, so that blocks stay in walk order.
 * The last attempt takes the file as it comes: whatever bytes it gives, the stored length is the sum of its blocks. Its entry is marked
 * so that the next run reads it again.
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
import type { FileFailure, PieceResult } from './protocol.ts';

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
    // Even the last attempt may fail, on a file system whose errnos say each time that the file was replaced.
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

/** Looks at the file anew and puts its present stat data into the directory. @returns a failure when it is gone, or no file any more */
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

/** Reads the file to its end, wherever that is: the length that stat said was wrong before, or is out of date. */
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
  for (const task of file.piecesToEnd(chunker.bytes, accept)) {
    signal.throwIfAborted();
    const result = (await pool.submit({ ...task, slab: pool.spareSlab })) as PieceResult;
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
