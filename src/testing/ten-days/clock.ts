/**
 * Preloaded into a run (`node --import`): its clock is ahead by as many milliseconds as the file `SHARDCTL_TEST_CLOCK` says, also when that
 * changes while it runs. Time-outs and the times of files stay as they are: what the program compares with times of files must only
 * never be behind them.
 */
import { readFileSync } from 'node:fs';

const READ_AGAIN_MS = 100;
const file = process.env.SHARDCTL_TEST_CLOCK;
const realNow = Date.now;
let ahead = 0;
let readAt = Number.NEGATIVE_INFINITY;

function now(): number {
  if (file !== undefined && performance.now() - readAt > READ_AGAIN_MS) {
    ahead = Number(readFileSync(file, 'utf8'));
    readAt = performance.now();
  }
  return realNow() + ahead;
}

Date.now = now;
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
});
