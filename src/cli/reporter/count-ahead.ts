/**
 * How much there is to import, known long before the import gets there: it lists a directory only when it needs it, so that
 * by itself it knows the total, and with it an honest remaining time, at its very end.
 * For terminals alone: listing everything twice is no price for somebody who watches, but it is one for a cron job.
 */
import { Worker } from 'node:worker_threads';
import type { Emit, Event } from '../../core/events.ts';
import type { Count, CountRequest } from './count-worker.ts';

export interface CountAhead {
  /** Passes events on, with the totals of the count in place of the import's own. */
  readonly emit: Emit;
  stop(): Promise<void>;
}

/** A run that is over by then needs no remaining time. */
const DELAY_MS = 1_500;

export function countAhead(request: CountRequest, emit: Emit): CountAhead {
  let worker: Worker | undefined;
  let counting = false;
  const timer = setTimeout(() => {
    worker = new Worker(new URL('./count-worker.js', import.meta.url), { workerData: request });
    worker.on('message', (count: Count) => {
      counting = true;
      emit({ type: 'scan', ...count });
    });
    // The import meets the same trouble, and tells of it: its own totals have to do.
    worker.on('error', () => {
      counting = false;
    });
  }, DELAY_MS);
  return {
    emit: (event: Event) => {
      // The import's own totals lag behind: two sources would make the display jump.
      if (event.type !== 'scan' || event.done || !counting) emit(event);
    },
    async stop() {
      clearTimeout(timer);
      await worker?.terminate();
    },
  };
}
