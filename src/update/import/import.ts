/**
 * import — turns new and changed files and symlinks into blocks.
 * In: the walk with states. Out: the walk, the blocks in walk order between its steps, and `filled` when all entries of a
 * directory but its subdirectories have their CIDs. Holds: a slab of blocks per task under way, and the steps ahead of them.
 *
 * Workers finish in any order. What comes out is always in walk order, so that the same tree gives the same shards, and a rerun finds
 * on the peers what a killed run has placed.
 */
import { setImmediate } from 'node:timers/promises';
import { type Codec, DIGEST_BYTES } from '../../core/model.ts';
import { type BlockBatch, type FinishedFiles, NONE_FINISHED, ownBlocks } from '../../shard/batch.ts';
import type { Directory } from '../../walk/directory.ts';
import type { FilledStep, PAUSE, WalkStep } from '../../walk/walk-step.ts';
import { importAgain } from './again.ts';
import { importByContent } from './by-content.ts';
import type { ImportContext } from './context.ts';
import type { LargeFile } from './large-file.ts';
import { type FileGroup, type PlanItem, plan } from './plan.ts';
import type { FilesResult, PieceResult } from './protocol.ts';
import { reRootFiles } from './re-root.ts';
import { importSymlinks } from './symlinks.ts';

export type ImportStep = WalkStep | FilledStep | BlockBatch;

/** Steps that may be planned ahead of the one that is handed out: enough to keep the workers busy through many tiny directories. */
const MAX_STEPS_AHEAD = 2048;
/** Entries of the directories among them, which are in memory: 1.4 million in directories of 10,000 took 340 MB without this. */
const MAX_ENTRIES_AHEAD = 20_000;
/** How often signals and progress get a turn: where nothing has changed, nothing here waits for a worker. */
const TURN_MS = 50;

type Task<Item, R> = Item & { readonly slab: number; readonly result: Promise<R> };
type Ahead =
  | Exclude<PlanItem, { kind: 'group' | 'piece' } | typeof PAUSE>
  | Task<Extract<PlanItem, { kind: 'group' }>, FilesResult>
  | Task<Extract<PlanItem, { kind: 'piece' }>, PieceResult>;

export async function* importEntries(steps: Iterable<WalkStep>, context: ImportContext): AsyncGenerator<ImportStep, void, void> {
  for await (const item of lookAhead(plan(steps, context.profile), context)) {
    switch (item.kind) {
      case 'group':
        yield* finishGroup(context, item.group, item.slab, await item.result);
        break;
      case 'piece':
        yield* finishPiece(context, item.file, item.slab, await item.result, item.last);
        break;
      case 'content-defined': {
        const failure = yield* importByContent(context, item.directory, item.index, false);
        if (failure !== undefined) yield* importAgain(context, item.directory, item.index, failure);
        break;
      }
      case 'filled': {
        yield* reRootFiles(context, item.directory);
        const batch = importSymlinks(context, item.directory);
        if (batch !== undefined) yield ownBlocks(batch);
        yield item;
        break;
      }
      default:
        yield item;
    }
  }
}

/** Starts tasks as long as there are slabs for them, and hands the items out in their order. */
async function* lookAhead(items: Iterator<PlanItem>, { pool, signal }: ImportContext): AsyncGenerator<Ahead, void, void> {
  const ahead: Ahead[] = [];
  let head = 0;
  let entries = 0;
  let done = false;
  let nextTurn = performance.now() + TURN_MS;
  for (;;) {
    if (performance.now() > nextTurn) {
      await setImmediate();
      nextTurn = performance.now() + TURN_MS;
    }
    signal.throwIfAborted();
    while (!done && pool.hasSlab && ahead.length - head < MAX_STEPS_AHEAD && entries < MAX_ENTRIES_AHEAD) {
      const next = items.next();
      if (next.done === true) {
        done = true;
      } else if (next.value.kind === 'pause') {
        await setImmediate();
        signal.throwIfAborted();
      } else {
        entries += entriesOf(next.value);
        ahead.push(start(next.value, pool));
      }
    }
    if (head === ahead.length) {
      if (done) return;
      // All slabs are full and waiting to be written; whoever writes them releases one without asking this generator.
      await pool.slabFreed();
      continue;
    }
    const item = ahead[head++] as Ahead;
    entries -= entriesOf(item);
    yield item;
    if (head > MAX_STEPS_AHEAD) {
      ahead.splice(0, head);
      head = 0;
    }
  }
}

function entriesOf(item: PlanItem | Ahead): number {
  return item.kind === 'enter' ? item.directory.count : 0;
}

function start(item: Exclude<PlanItem, typeof PAUSE>, pool: ImportContext['pool']): Ahead {
  if (item.kind !== 'group' && item.kind !== 'piece') return item;
  const slab = pool.takeSlab() as number;
  const task = item.kind === 'group' ? item.group.task(slab) : { ...item.task, slab };
  const result = pool.submit(task);
  // The failure is thrown where the result is awaited. If the run ends before that, Node must not report it as unhandled.
  result.catch(() => {});
  return { ...item, slab, result } as Ahead;
}

async function* finishGroup(context: ImportContext, group: FileGroup, slab: number, result: FilesResult): AsyncGenerator<BlockBatch> {
  const failed = new Set(result.failures.map((failure) => failure.index));
  for (let at = 0; at < group.indexes.length; at++) {
    if (failed.has(at)) continue;
    const directory = group.directories[at] as Directory;
    directory.setRoot(
      group.indexes[at] as number,
      result.codecs[at] as Codec,
      result.digests,
      at * DIGEST_BYTES,
      result.dagSizes[at] as number,
    );
  }
  const { directories, indexes } = group;
  yield slabBlocks(context, slab, result.batchBytes, { directories, indexes, ends: result.ends });
  for (const failure of result.failures) {
    yield* importAgain(context, group.directories[failure.index] as Directory, group.indexes[failure.index] as number, failure);
  }
}

async function* finishPiece(
  context: ImportContext,
  file: LargeFile,
  slab: number,
  result: PieceResult,
  last: boolean,
): AsyncGenerator<BlockBatch> {
  if (file.failure === undefined) {
    file.add(result, context.pool.batch(slab, result.batchBytes));
    yield slabBlocks(context, slab, result.batchBytes, NONE_FINISHED);
  } else {
    context.pool.releaseSlab(slab);
  }
  if (!last) return;
  if (file.failure === undefined) yield await file.finish(context);
  else yield* importAgain(context, file.directory, file.index, file.failure);
}

function slabBlocks({ pool }: ImportContext, slab: number, bytes: number, finished: FinishedFiles): BlockBatch {
  return { kind: 'blocks', batch: pool.batch(slab, bytes), finished, release: () => pool.releaseSlab(slab) };
}
