/**
 * Counts what there is to import, in a thread of its own. The import lists a directory only when it gets there, so that it knows the
 * total, and with it an honest remaining time, only at its end. Used only when somebody watches a terminal: listing everything twice
 * is a price that a cron job should not pay.
 */
import { Worker } from 'node:worker_threads';
import type { Emit, Event } from '../../core/events.ts';
import type { Count, CountRequest } from './count-worker.ts';

export interface CountAhead {
  /** Passes events on, with the totals of the count in place of the import's own. */
  readonly emit: Emit;
  stop(): Promise<void>;
}

/** Nothing is counted for a run that ends sooner: it needs no remaining time. */
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
    // The import meets the same error and reports it; its own totals are shown from here on.
    worker.on('error', () => {
      counting = false;
    });
  }, DELAY_MS);
  return {
    emit: (event: Event) => {
      // The import's own totals lag behind, and the display would jump between the two: they are left out while the count is shown.
      if (event.type !== 'scan' || event.done || !counting) emit(event);
    },
    async stop() {
      clearTimeout(timer);
      await worker?.terminate();
    },
  };
}
