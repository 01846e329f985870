/**
 * What a power cut may leave: a model. While it watches, every write, flush and rename that this thread makes through node:fs is
 * noted, and before each of them an image of a directory can be taken as the disk might have it: writes that nobody flushed are
 * dropped, and so (if asked for) are names of which nobody flushed the directory. LMDB writes on its own, and flushes what it
 * promises: its file is taken as it is, which is as far ahead of the others as it can be.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';

/** `data`: unflushed writes are lost. `names`: those, and unflushed names. */
export type Loss = 'data' | 'names';

/** A change of names in a directory that was not flushed since. */
interface NameChange {
  readonly path: string;
  /** What stood there before, to be put back. */
  readonly before: Buffer | undefined;
  /** A rename: where it goes back to. */
  readonly from: string | undefined;
}

type Functions = Record<string, (...args: never[]) => unknown>;

export class PowerLoss {
  readonly #root: string;
  readonly #onOperation: (nth: number) => void;
  /** Length at the last flush, for files that were written to since they were last flushed. */
  readonly #unflushed = new Map<string, number>();
  readonly #paths = new Map<number, string>();
  #names: NameChange[] = [];
  #operations = 0;
  readonly #undo: (() => void)[] = [];

  /** @param onOperation called before each operation below `root`, from 1 on: the time to take an image */
  constructor(root: string, onOperation: (nth: number) => void) {
    this.#root = root;
    this.#onOperation = onOperation;
    this.#watch();
  }

  stop(): void {
    for (const undo of this.#undo.reverse()) undo();
    syncBuiltinESMExports();
  }

  /** A copy of the directory as the disk might have it now. */
  image(to: string, loss: Loss): void {
    const originals = this.#originals;
    originals.cpSync(this.#root, to, { recursive: true });
    const there = (path: string) => join(to, relative(this.#root, path));
    for (const [path, length] of this.#unflushed) if (fs.existsSync(there(path))) fs.truncateSync(there(path), length);
    if (loss === 'data') return;
    for (const { path, before, from } of this.#names.toReversed()) {
      if (from !== undefined && fs.existsSync(there(path))) originals.renameSync(there(path), there(from));
      else originals.rmSync(there(path), { recursive: true, force: true });
      if (before !== undefined && fs.existsSync(dirname(there(path)))) originals.writeFileSync(there(path), before);
    }
  }

  readonly #originals = { cpSync: fs.cpSync, renameSync: fs.renameSync, rmSync: fs.rmSync, writeFileSync: fs.writeFileSync };

  #isOurs(path: unknown): path is string {
    return typeof path === 'string' && path.startsWith(`${this.#root}/`) && !basename(dirname(path)).startsWith('tables');
  }

  #operation(path: unknown): path is string {
    if (!this.#isOurs(path)) return false;
    this.#onOperation(++this.#operations);
    return true;
  }

  #written(path: string, offset?: number): void {
    const length = this.#unflushed.get(path) ?? (fs.existsSync(path) ? fs.statSync(path).size : 0);
    // What was overwritten before the old end is lost from there on, in this model.
    this.#unflushed.set(path, Math.min(length, offset ?? length));
  }

  #flushed(path: string | undefined): void {
    if (path === undefined) return;
    this.#unflushed.delete(path);
    this.#names = this.#names.filter((change) => dirname(change.path) !== path);
  }

  #named(path: string, from?: string): void {
    const isFile = fs.existsSync(path) && fs.statSync(path).isFile();
    this.#names.push({ path, before: isFile ? fs.readFileSync(path) : undefined, from });
  }

  #renamed(from: string, to: string): void {
    this.#named(to, from);
    const length = this.#unflushed.get(from);
    this.#unflushed.delete(from);
    this.#unflushed.delete(to);
    if (length !== undefined) this.#unflushed.set(to, length);
  }

  #opened(path: unknown, flags: unknown, fd: number, wasThere: boolean): void {
    if (!this.#isOurs(path)) return;
    this.#paths.set(fd, path);
    if (typeof flags !== 'string' || !flags.startsWith('w')) return;
    if (!wasThere) this.#names.push({ path, before: undefined, from: undefined });
    this.#unflushed.set(path, 0);
  }

  #replace(owner: object, name: string, make: (original: (...args: never[]) => unknown) => (...args: never[]) => unknown): void {
    const functions = owner as Functions;
    const original = functions[name] as (...args: never[]) => unknown;
    functions[name] = make(original);
    this.#undo.push(() => {
      functions[name] = original;
    });
  }

  #watch(): void {
    this.#replace(fs, 'openSync', (original) => (path: never, flags: never, mode: never) => {
      const wasThere = fs.existsSync(path);
      const fd = original(path, flags, mode) as number;
      this.#opened(path, flags, fd, wasThere);
      return fd;
    });
    this.#replace(fs, 'writeSync', (original) => (fd: never, ...rest: never[]) => {
      const path = this.#paths.get(fd);
      if (this.#operation(path)) this.#written(path);
      return original(fd, ...rest);
    });
    this.#replace(fs, 'fsyncSync', (original) => (fd: never) => {
      this.#operation(this.#paths.get(fd));
      const result = original(fd);
      this.#flushed(this.#paths.get(fd));
      return result;
    });
    this.#replace(fs, 'closeSync', (original) => (fd: never) => {
      this.#paths.delete(fd);
      return original(fd);
    });
    this.#replace(fs, 'renameSync', (original) => (from: never, to: never) => {
      if (this.#operation(to)) this.#renamed(from, to);
      return original(from, to);
    });
    this.#replace(fs.promises, 'rename', (original) => async (from: never, to: never) => {
      if (this.#operation(to)) this.#renamed(from, to);
      return await original(from, to);
    });
    for (const [owner, name] of [
      [fs, 'rmSync'],
      [fs.promises, 'rm'],
    ] as const)
      this.#replace(owner, name, (original) => (path: never, ...rest: never[]) => {
        if (this.#operation(path) && fs.existsSync(path)) this.#named(path);
        this.#unflushed.delete(path);
        return original(path, ...rest);
      });
    for (const [owner, name] of [
      [fs, 'mkdirSync'],
      [fs.promises, 'mkdir'],
    ] as const)
      this.#replace(owner, name, (original) => (path: never, ...rest: never[]) => {
        if (this.#operation(path) && !fs.existsSync(path)) this.#named(path);
        return original(path, ...rest);
      });
    this.#replace(fs.promises, 'copyFile', (original) => async (from: never, to: never, mode: never) => {
      if (this.#operation(to)) {
        this.#named(to);
        this.#unflushed.set(to, 0);
      }
      return await original(from, to, mode);
    });
    this.#replace(fs.promises, 'open', (original) => async (path: never, flags: never, mode: never) => {
      const wasThere = fs.existsSync(path);
      const handle = (await original(path, flags, mode)) as fs.promises.FileHandle;
      this.#opened(path, flags, handle.fd, wasThere);
      this.#watchHandle(handle, path);
      return handle;
    });
    syncBuiltinESMExports();
  }

  #watchHandle(handle: fs.promises.FileHandle, path: string): void {
    for (const name of ['write', 'writeFile'])
      this.#replace(handle, name, (original) => async (...args: never[]) => {
        const position = name === 'write' ? (args[3] as unknown) : 0;
        if (this.#operation(path)) this.#written(path, typeof position === 'number' ? position : undefined);
        return await original.apply(handle, args);
      });
    this.#replace(handle, 'sync', (original) => async () => {
      this.#operation(path);
      await original.apply(handle);
      this.#flushed(path);
    });
    const fd = handle.fd;
    this.#replace(handle, 'close', (original) => async () => {
      this.#paths.delete(fd);
      await original.apply(handle);
    });
  }
}
