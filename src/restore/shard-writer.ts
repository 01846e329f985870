/** Writes what is wanted of one shard after another: in a thread of its own, or in the main thread when it is little. */
import type { Libc } from '../core/libc.ts';
import { Destination } from './destination.ts';
import { FileWriter } from './file-writer.ts';
import { ReadBuffers } from './run-cursor.ts';
import type { ShardJob, StreamTrouble, WorkerMessage, WriterSettings } from './shard-job.ts';
import { ShardReads } from './shard-reads.ts';

/** Holds two buffers of 4 MiB. */
export class ShardWriter {
  readonly #reads = new ShardReads(new ReadBuffers());
  readonly #destination: Destination;
  readonly #tell: (message: WorkerMessage) => void;
  #job = 0;

  constructor(settings: WriterSettings, libc: Libc | undefined, tell: (message: WorkerMessage) => void) {
    this.#destination = new Destination({
      ...settings,
      libc,
      warn: (message, key) => tell({ job: this.#job, type: 'warning', message, key }),
    });
    this.#tell = tell;
  }

  /** Resolves when `end` was told. Not to be called again before. */
  async write(job: ShardJob): Promise<void> {
    this.#job = job.id;
    this.#destination.into.workBelow(job.top);
    const files = new FileWriter(job, this.#destination, (told) => this.#tell({ job: job.id, ...told }));
    const before = this.#destination.metadata.withheld;
    let trouble: readonly StreamTrouble[] = [];
    try {
      trouble = await this.#reads.read(job, files);
    } finally {
      files.end();
    }
    this.#tell({ job: job.id, type: 'end', withheld: this.#destination.metadata.withheld - before, trouble });
  }

  close(): void {
    this.#reads.close();
    this.#destination.into.close();
  }
}
