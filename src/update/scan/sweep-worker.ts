/** The second thread of the sweep. */
import { parentPort, workerData } from 'node:worker_threads';
import { linuxCalls } from '../../core/libc.ts';
import { HotFile } from '../../index/entries/hot-file.ts';
import { reachOf } from '../../source/choose-reach.ts';
import { makeLooker } from '../../source/look.ts';
import { compileFilter } from './filter.ts';
import { Links } from './links.ts';
import { NativeVisit } from './native-visit.ts';
import { sweepBlock } from './sweep-block.ts';
import type { SentTask, SweepAnswer } from './sweep-task.ts';

const visit = new NativeVisit(workerData as Int32Array<SharedArrayBuffer>);
const calls = visit.enter() ? linuxCalls() : undefined;
visit.leave();
let memory = new ArrayBuffer(0);

parentPort?.on('message', (task: SentTask) => {
  if (!visit.enter()) return;
  try {
    help(task);
  } catch {
    // The main thread meets the same failure and reports it; or the sweep is over, and the main thread has closed the source.
  } finally {
    visit.leave();
  }
  task.answers.postMessage('done' satisfies SweepAnswer);
  task.answers.close();
});

function help({ hotPath, offsets, next, source, filters, copyLinks, trust, metadata, answers }: SentTask): void {
  const reach = reachOf(source, calls);
  const looker = makeLooker(reach);
  const links = copyLinks ? new Links({ handle: source, reach }) : undefined;
  const filter = filters.length > 0 ? compileFilter(filters) : undefined;
  const rules = { reach, filter, links, metadata, ...trust };
  const hot = new HotFile(hotPath);
  try {
    while (!visit.isAskedToLeave) {
      // Counted before a block is taken: when the main thread sees zero here, this thread has taken none.
      Atomics.add(next, 1, 1);
      const block = Atomics.add(next, 0, 1);
      if (block >= offsets.length) break;
      const read = hot.block(offsets[block] as number, memory);
      memory = read.memory;
      answers.postMessage({ block, found: sweepBlock(hot, read.payload, rules, looker) } satisfies SweepAnswer);
    }
  } finally {
    hot.close();
    reach.close();
  }
}
