/** One run of a program whose cost counts. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Command, Cost, Measure } from './measure.ts';
import type { Said, Tool } from './tools.ts';

interface Where {
  readonly measure: Measure;
  /** File for all that it says. */
  readonly log: string;
  readonly signal: AbortSignal;
}

/** What an earlier run left for the kernel to write must not be written at the next one's expense. */
export function writeBack(): void {
  spawnSync('sync');
}

/** @throws what `Measure` throws */
export async function timedRun(
  tool: Pick<Tool, 'said'>,
  command: Command,
  { measure, log, signal }: Where,
): Promise<{ readonly cost: Cost; readonly said: Said }> {
  writeBack();
  const cost = await measure(command, log, signal);
  return { cost, said: tool.said?.(readFileSync(log, 'utf8')) ?? {} };
}
