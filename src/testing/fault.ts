/**
 * Preloaded into a child (`node --import`): makes the Nth writing file operation fail, or kills the process before it.
 * `SHARDCTL_FAULT=kill:N` or `SHARDCTL_FAULT=ENOSPC:N`. Only operations that write are counted: the source is only read.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [kind = '', at = ''] = (process.env.SHARDCTL_FAULT ?? '').split(':');
let left = Number(at);

function fault(name: string): void {
  left--;
  if (left !== 0) return;
  if (kind === 'kill') process.kill(process.pid, 'SIGKILL');
  throw Object.assign(new Error(`${kind}: injected, ${name}`), { code: kind, syscall: name });
}

type Functions = Record<string, (...args: unknown[]) => unknown>;

function wrap(owner: object, names: readonly string[]): void {
  const functions = owner as Functions;
  for (const name of names) {
    const original = functions[name] as (...args: unknown[]) => unknown;
    functions[name] = function (this: unknown, ...args: unknown[]) {
      fault(name);
      return original.apply(this, args);
    };
  }
}

/** The same for functions that return promises: they reject. */
function wrapAsync(owner: object, names: readonly string[]): void {
  const functions = owner as Functions;
  for (const name of names) {
    const original = functions[name] as (...args: unknown[]) => unknown;
    functions[name] = async function (this: unknown, ...args: unknown[]) {
      fault(name);
      return await original.apply(this, args);
    };
  }
}

wrap(fs, ['writeSync', 'fsyncSync', 'renameSync', 'rmSync', 'mkdirSync']);
wrapAsync(fs.promises, ['rename', 'copyFile', 'rm', 'mkdir', 'writeFile']);
const probe = await fs.promises.open(process.execPath);
wrapAsync(Object.getPrototypeOf(probe), ['sync', 'write', 'writeFile']);
await probe.close();
syncBuiltinESMExports();
