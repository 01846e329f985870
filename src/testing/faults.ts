/**
 * File operations that fail on purpose, the SQLite way: the Nth one, for N = 1, 2, … `install` wraps what this program uses of
 * node:fs in its own thread; nothing fails and nothing is counted until a fault is armed.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * `kill` ends the process and the other signals ask it to stop, before the operation goes on; the rest are errnos. EMFILE fails
 * what opens files, the others what writes.
 */
export type FaultKind = 'kill' | 'SIGINT' | 'SIGTERM' | 'ENOSPC' | 'EIO' | 'EMFILE';

type Functions = Record<string, (...args: unknown[]) => unknown>;

const WRITING = {
  sync: ['writeSync', 'fsyncSync', 'renameSync', 'rmSync', 'mkdirSync', 'writeFileSync'],
  callback: ['fdatasync'],
  promises: ['rename', 'copyFile', 'rm', 'mkdir', 'writeFile'],
  handle: ['sync', 'write', 'writeFile'],
} as const;
const OPENING = {
  sync: ['openSync', 'readdirSync', 'readFileSync'],
  promises: ['open', 'readdir', 'readFile'],
} as const;

let armed: { readonly kind: FaultKind; left: number } | undefined;
let counted = 0;

/** From now on the `nth` operation of this kind fails, once. With none such the operations are counted. */
export function arm(kind: FaultKind, nth = Number.POSITIVE_INFINITY): void {
  armed = { kind, left: nth };
  counted = 0;
}

/** No more faults. @returns whether the fault came to pass, and how many operations there were */
export function disarm(): { readonly fired: boolean; readonly operations: number } {
  const fired = armed !== undefined && armed.left <= 0;
  armed = undefined;
  return { fired, operations: counted };
}

/** @throws the armed fault when its turn has come */
function pass(name: string, isOpening: boolean): void {
  if (armed === undefined || (armed.kind === 'EMFILE') !== isOpening) return;
  counted++;
  if (--armed.left !== 0) return;
  if (armed.kind === 'kill') process.kill(process.pid, 'SIGKILL');
  if (armed.kind === 'SIGINT' || armed.kind === 'SIGTERM') {
    process.kill(process.pid, armed.kind);
    return;
  }
  throw Object.assign(new Error(`${armed.kind}: injected, ${name}`), { code: armed.kind, syscall: name });
}

function wrap(owner: object, names: readonly string[], isOpening: boolean): void {
  const functions = owner as Functions;
  for (const name of names) {
    const original = functions[name] as (...args: unknown[]) => unknown;
    functions[name] = function (this: unknown, ...args: unknown[]) {
      pass(name, isOpening);
      return original.apply(this, args);
    };
  }
}

/** The same for functions that return promises: they reject. */
function wrapAsync(owner: object, names: readonly string[], isOpening: boolean): void {
  const functions = owner as Functions;
  for (const name of names) {
    const original = functions[name] as (...args: unknown[]) => unknown;
    functions[name] = async function (this: unknown, ...args: unknown[]) {
      pass(name, isOpening);
      return await original.apply(this, args);
    };
  }
}

/** The same for functions that take a callback. */
function wrapCallback(owner: object, names: readonly string[]): void {
  const functions = owner as Functions;
  for (const name of names) {
    const original = functions[name] as (...args: unknown[]) => unknown;
    functions[name] = function (this: unknown, ...args: unknown[]) {
      try {
        pass(name, false);
      } catch (error) {
        return queueMicrotask(() => (args.at(-1) as (error: unknown) => void)(error));
      }
      return original.apply(this, args);
    };
  }
}

export async function install(): Promise<void> {
  const probe = await fs.promises.open(process.execPath);
  wrapAsync(Object.getPrototypeOf(probe), WRITING.handle, false);
  await probe.close();
  wrap(fs, WRITING.sync, false);
  wrap(fs, OPENING.sync, true);
  wrapCallback(fs, WRITING.callback);
  wrapAsync(fs.promises, WRITING.promises, false);
  wrapAsync(fs.promises, OPENING.promises, true);
  syncBuiltinESMExports();
}
