/** What the two threads of a sweep say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { Trust } from '../../core/model.ts';
import type { SourceHandle } from '../../source/reach.ts';
import type { SweptBlock } from './sweep-block.ts';

export interface SweepTask {
  readonly hotPath: string;
  readonly offsets: readonly number[];
  /** Shared: the next block that nobody has taken, and how many times the second thread came to take one. */
  readonly next: Int32Array;
  readonly source: SourceHandle;
  readonly filters: readonly string[];
  readonly copyLinks: boolean;
  readonly trust: Trust;
  readonly metadata: boolean;
}

/** A task as it is sent, with the port for the answers. */
export type SentTask = SweepTask & { readonly answers: MessagePort };

/** What it answers for each block, and at the end of a task. */
export type SweepAnswer = { readonly block: number; readonly found: SweptBlock } | 'done';
