/**
 * Brings a repository up to date; `add` is the same with no parent. Looks first whether there is anything to do: the pipeline is
 * loaded only if there is, because a cron job that finds nothing changed should be over before that.
 */
import { dirname } from 'node:path';
import { errnoOf, ioError } from '../core/errors.ts';
import type { Summary } from '../core/events.ts';
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
      index.dropEntries(repository, index.repository(repository)?.head ?? 0);
      return attempt(run);
    });
  } catch (error) {
    // An abort may surface as the failure of whatever it interrupted.
    const { signal } = run.control;
    if (signal.aborted) throw signal.reason;
    // Stages translate what they can name better; a system call that failed anywhere else was one on the home.
    throw errnoOf(error) === undefined ? error : ioError(error, 'writing to the home', dirname(run.home.spool));
  }
}

async function attempt(run: IngestRun): Promise<Summary> {
  const start = await begin(run);
  try {
    if (start.sweep?.isClean === true && !start.rootDiffers) return await leaveAsItIs(run, start);
    const { ingest } = await import('./ingest.ts');
    const summary = await ingest(run, start);
    // Nothing was taken over: all of the new head was stored, or met, by this run.
    if (!summary.unchanged && start.parent?.entries === undefined) start.doubt?.settle();
    return summary;
  } finally {
    start.sweep?.close();
    start.parent?.entries?.close();
    start.root.close();
  }
}

/** Nothing differs, and nothing is written, unless the repository comes from elsewhere now. */
async function leaveAsItIs(run: IngestRun, start: Start): Promise<Summary> {
  const head = (start.parent as Parent).snapshot;
  run.control.signal.throwIfAborted();
  assertSameSource(run.request.source, start.root);
  await remember(run, head, start);
  const { files, directories, symlinks } = head.counts;
  const { emit } = run.control;
  emit({ type: 'scan', files, directories, symlinks, bytes: head.bytes, done: true });
  emit({ type: 'import', files, bytes: head.bytes, unchanged: files });
  return summarize(head, start, undefined, run.control);
}
