/** The second thread of the sweep. */
import { parentPort, workerData } from 'node:worker_threads';
import { HotFile } from '../index-store/hot-file.ts';
import { compileFilter } from './filter.ts';
import type { SweepAnswer, SweepTask } from './sweep.ts';
import { sweepBlock } from './sweep-block.ts';

const { hotPath, offsets, next, source, filters, trust, metadata } = workerData as SweepTask;
const rules = { source, filter: compileFilter(filters), metadata, ...trust };
const hot = new HotFile(hotPath);
let memory = new ArrayBuffer(0);
for (;;) {
  // Said before a block is taken: who sees the count at zero afterwards knows that nothing was.
  Atomics.add(next, 1, 1);
  const block = Atomics.add(next, 0, 1);
  if (block >= offsets.length) break;
  const read = hot.block(offsets[block] as number, memory);
  memory = read.memory;
  parentPort?.postMessage({ block, found: sweepBlock(hot, read.payload, rules) } satisfies SweepAnswer);
}
hot.close();
