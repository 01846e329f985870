/**
 * Brings a repository up to date; `add` is the same without a parent. The sweep looks first whether anything differs. Only then the
 * pipeline is loaded: an hourly update that finds nothing is over before that.
 */
import { dirname } from 'node:path';
import { errnoOf, ioError } from '../core/errors.ts';
import type { Summary } from '../core/events.ts';
import { newestOf } from '../core/model.ts';
import { EntriesDamaged } from '../index/entries/format.ts';
import { assertSameSource } from '../source/source.ts';
import type { IngestRun } from './ingest-run.ts';
import type { Parent } from './parent.ts';
import { begin, type Start } from './prepare.ts';
import { remember } from './remember.ts';
import { summarize } from './summary.ts';

/** @throws ShardctlError; whatever happens, the head that was there before stays valid */
export async function update(run: IngestRun): Promise<Summary> {
  try {
    return await attempt(run).catch((error: unknown) => {
      if (!(error instanceof EntriesDamaged)) throw error;
      const { index } = run.home;
      const { repository } = run.request;
      run.control.emit({ type: 'warning', message: error.message });
      const known = index.repository(repository);
      index.entries.drop(repository, known === undefined ? 0 : newestOf(known));
      return attempt(run);
    });
  } catch (error) {
    // What an abort interrupts may fail with an error of its own: the reason of the abort is what the user should see.
    const { signal } = run.control;
    if (signal.aborted) throw signal.reason;
    // Stages name the files of their own errors. A system call that failed anywhere else was one on the home.
    throw errnoOf(error) === undefined ? error : ioError(error, 'writing to the home', dirname(run.home.spool));
  }
}

async function attempt(run: IngestRun): Promise<Summary> {
  const start = await begin(run);
  try {
    const summary = start.sweep?.isClean === true && !start.rootDiffers ? await leaveAsItIs(run, start) : await ingested(run, start);
    run.home.index.entries.noteTold(run.request.repository, start.isTold ? start.at : undefined);
    return summary;
  } finally {
    start.sweep?.close();
    start.parent?.entries?.close();
    start.root.close();
  }
}

async function ingested(run: IngestRun, start: Start): Promise<Summary> {
  const { ingest } = await import('./ingest.ts');
  const summary = await ingest(run, start);
  // Without the parent's entries every block of the new head was stored, or found on a peer and read, by this run: so the head is whole.
  if (!summary.unchanged && start.parent?.entries === undefined) start.doubt?.refute();
  return summary;
}

/** Nothing differs. Nothing is written either, unless what the index remembers of the repository is different now (`remember`). */
async function leaveAsItIs(run: IngestRun, start: Start): Promise<Summary> {
  const head = (start.parent as Parent).snapshot;
  run.control.signal.throwIfAborted();
  assertSameSource(run.request.source, start.root, run.request.trust);
  const recorded = await remember(run, head, start);
  const { files, directories, symlinks } = head.counts;
  const { emit } = run.control;
  emit({ type: 'scan', files, directories, symlinks, bytes: head.bytes, done: true });
  emit({ type: 'import', files, bytes: head.bytes, unchanged: files });
  return summarize(recorded, start, undefined, run.control);
}
