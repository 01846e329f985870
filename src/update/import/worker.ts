/** An import worker: does the tasks that the run sends it. */
import { parentPort, workerData } from 'node:worker_threads';
import { Throughput } from '../../core/small-heap.ts';
import { reachOf } from '../../source/choose-reach.ts';
import { FileImporter } from './file-importer.ts';
import { type ResultMessage, SLAB_BYTES, type TaskMessage, type WorkerSetup } from './protocol.ts';

const throughput = new Throughput();
const setup = workerData as WorkerSetup;
// Without koffi: a thread must not be ended while it is being loaded.
const importer = new FileImporter(setup, reachOf(setup.source));

parentPort?.on('message', ({ id, task }: TaskMessage) => {
  const result = importer.do(task);
  throughput.note(SLAB_BYTES);
  const transfer = result.kind === 'files' ? [result.digests.buffer, result.dagSizes.buffer, result.ends.buffer] : [];
  parentPort?.postMessage({ id, result } satisfies ResultMessage, transfer as ArrayBuffer[]);
});
