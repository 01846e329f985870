/** How the process ends once a command is over. */
import process from 'node:process';
import { exitCall } from '../core/libc.ts';

/** Profiles and the like are written while Node takes itself down. */
const WRITES_AT_EXIT = /-prof\b|coverage|--trace-event|--report/;

/**
 * Ends the process, after its `exit` listeners, and does not have Node take down its threads: `process.exit` joins those in which V8
 * compiles, and one of them may wait for a garbage collection that the main thread will never make (nodejs/node#54918, seen with Node
 * 20.20.2). Such a process hangs for ever, SIGTERM does not end it, and cron would wait for it as `watch` does. All that was to be written
 * is written by now: the program may be killed at any moment anyway. Where koffi is missing, `process.exit` has to do.
 */
export function leave(code: number): never {
  process.exitCode = code;
  process.emit('exit', code);
  const asked = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((option) => WRITES_AT_EXIT.test(option));
  if (!asked && process.env.NODE_V8_COVERAGE === undefined) exitCall()?.(code);
  process.exit(code);
}
