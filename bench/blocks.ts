/**
 * `npm run bench -- blocks`: the block table at a size that tests have no time for. A wrong answer fails it.
 * No command shows so much of it: this bench alone reaches inside.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machineOf } from '../src/measure/machine.ts';
import { answersOf } from '../src/testing/counted-blocks.ts';
import { save } from './report.ts';

const FULL_COUNT = 10_000_000;

/** @returns the exit code */
export function runBlocks(args: readonly string[], log: (line: string) => void): number {
  const { values } = parseArgs({
    args: [...args],
    options: { count: { type: 'string', default: `${FULL_COUNT}` }, dest: { type: 'string', default: '/dev/shm' } },
  });
  const count = Number(values.count);
  const dir = join(values.dest, `shardctl-bench-${process.pid}`);
  const machine = machineOf(values.dest, process.version);
  mkdirSync(dir);
  try {
    const { wrong, ...measured } = answersOf(dir, count, (done, of) => {
      if (done % 20 === 0 || done === of) log(`${done} of ${of} shards`);
    });
    const peakRssBytes = process.resourceUsage().maxRSS * 1024;
    console.log(textOf({ count, ...measured, peakRssBytes }));
    for (const block of wrong.slice(0, 20)) console.log(block < 0 ? `found and was never added: ${block}` : `lost: block ${block}`);
    console.log(`${wrong.length} of ${2 * count} answers are wrong`);
    const report = { bench: 'blocks', time: new Date().toISOString(), machine, count, ...measured, peakRssBytes, wrong: wrong.length };
    if (count === FULL_COUNT) log(`\nsaved as bench/results/${save(report)}`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

interface Figures {
  readonly count: number;
  readonly bytes: number;
  readonly addSeconds: number;
  readonly findSeconds: number;
  readonly missSeconds: number;
  readonly peakRssBytes: number;
}

function textOf({ count, bytes, addSeconds, findSeconds, missSeconds, peakRssBytes }: Figures): string {
  const each = (seconds: number) => `${seconds.toFixed(1)} s, ${((seconds / count) * 1e6).toFixed(2)} µs each`;
  return [
    `${count.toLocaleString('en')} blocks, ${(bytes / count).toFixed(2)} bytes each`,
    `added:        ${each(addSeconds)}`,
    `found:        ${each(findSeconds)}`,
    `not there:    ${each(missSeconds)}`,
    `peak memory:  ${Math.round(peakRssBytes / 1e6)} MB, ${Math.round((peakRssBytes / count) * 10) / 10} bytes a block`,
  ].join('\n');
}
