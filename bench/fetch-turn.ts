/** One run of a tool that may take far longer than anybody wants to wait. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Cost } from '../src/measure/measure.ts';
import { measure } from './tools.ts';

export interface Turn extends Cost {
  readonly corpus: string;
  readonly tool: string;
  readonly phase: string;
  /** Milliseconds there and back. */
  readonly distance: number;
  readonly round: number;
  /** It took longer than anybody waits. */
  readonly wasStopped: boolean;
  /** What part of the bytes was there when the tool had ended, or was stopped. Of an update that was stopped it is not known: 1. */
  readonly share: number;
  /** Processor time of all servers. */
  readonly serverSeconds: number;
  /** Bytes that came from the servers; known at a distance. */
  readonly received: number | undefined;
  /** Bytes of the files that the copy lacked. */
  readonly changedBytes: number;
}

interface Plan {
  readonly dest: string;
  readonly signal: AbortSignal;
}

/** Stops the command after so many seconds. @param shareOf what part of its work is done by then */
export async function measureWithin(limitSeconds: number, command: Command, { dest, signal }: Plan, shareOf: () => number) {
  // `timeout` ends with 124 when it has stopped the command.
  const argv = ['sh', '-c', `timeout ${limitSeconds} "$@" || [ $? = 124 ]`, 'sh', ...command.argv] as const;
  const cost = await measure({ ...command, argv: [...argv] }, join(dest, 'log'), signal);
  const wasStopped = cost.seconds >= limitSeconds;
  return { ...cost, wasStopped, share: wasStopped ? Math.min(1, shareOf()) : 1 };
}

/** Bytes of all files below; none where there is nothing. */
export function bytesIn(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  return stat.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + bytesIn(join(path, name)), 0) : stat.size;
}
