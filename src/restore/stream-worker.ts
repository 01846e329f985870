/** A thread that takes one shard after another, and writes the files whose blocks are in it. */
import { parentPort, workerData } from 'node:worker_threads';
import { loadLibc } from '../core/libc.ts';
import { sentError } from './file-writer.ts';
import type { ShardJob, WorkerMessage, WriterSettings } from './shard-job.ts';
import { ShardWriter } from './shard-writer.ts';

const port = parentPort;
if (port === null) throw new Error('this file runs in a worker');
const tell = (message: WorkerMessage) => port.postMessage(message);
const libc = await loadLibc();
const writer = new ShardWriter(workerData as WriterSettings, libc, tell);

let last: Promise<void> = Promise.resolve();
port.on('message', (job: ShardJob) => {
  last = last.then(() => writer.write(job)).catch((error: unknown) => tell({ job: job.id, type: 'broken', error: sentError(error) }));
});
