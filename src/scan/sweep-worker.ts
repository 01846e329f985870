/** The second thread of the sweep. */
import { parentPort } from 'node:worker_threads';
import { HotFile } from '../index-store/hot-file.ts';
import { compileFilter } from './filter.ts';
import { makeLooker } from './look.ts';
import type { SentTask, SweepAnswer } from './second-thread.ts';
import { sweepBlock } from './sweep-block.ts';

const looker = makeLooker();
let memory = new ArrayBuffer(0);

parentPort?.on('message', ({ hotPath, offsets, next, source, filters, trust, metadata, answers }: SentTask) => {
  const rules = { source, filter: compileFilter(filters), metadata, ...trust };
  const hot = new HotFile(hotPath);
  for (;;) {
    // Said before a block is taken: who sees the count at zero afterwards knows that nothing was.
    Atomics.add(next, 1, 1);
    const block = Atomics.add(next, 0, 1);
    if (block >= offsets.length) break;
    const read = hot.block(offsets[block] as number, memory);
    memory = read.memory;
    answers.postMessage({ block, found: sweepBlock(hot, read.payload, rules, looker) } satisfies SweepAnswer);
  }
  hot.close();
  answers.postMessage('done' satisfies SweepAnswer);
  answers.close();
});
