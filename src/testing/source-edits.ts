/** Random edits of a source, and runs that do not come to their end: for laws over histories of a repository. */
import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import type { RunOptions, TestHome } from './run.ts';

const path = fc.array(fc.constantFrom('a', 'b', 'c', 'index'), { minLength: 1, maxLength: 3 });
/** `index` is rare: else nearly every tree has one. */
const rare = fc.oneof({ weight: 6, arbitrary: path.map((names) => names.map((name) => (name === 'index' ? 'd' : name))) }, path);

export interface SourceEdit {
  readonly kind: 'write' | 'remove' | 'link' | 'rename' | 'mkdir' | 'chmod';
  readonly at: readonly string[];
  readonly to: readonly string[];
}

export const sourceEdit: fc.Arbitrary<SourceEdit> = fc.record({
  kind: fc.constantFrom('write', 'write', 'remove', 'link', 'rename', 'mkdir', 'chmod'),
  at: rare,
  to: rare,
});

let count = 0;
/** Makes an edit, if it can be made. @returns what has changed, as it is told */
export function applyEdit(root: string, { kind, at, to }: SourceEdit): string[] {
  const file = join(root, ...at);
  if (!isReal(root, at)) return [];
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (kind === 'remove' || kind === 'chmod') {
    if (stat === undefined || (kind === 'chmod' && stat.isSymbolicLink())) return [];
    if (kind === 'remove') rmSync(file, { recursive: true });
    else chmodSync(file, (stat.mode & 0o7777) ^ 0o010);
    return [at.join('/')];
  }
  if (kind === 'rename') {
    const target = join(root, ...to);
    if (stat === undefined || !isReal(root, to) || target.startsWith(`${file}/`)) return [];
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return [];
    mkdirSync(dirname(target), { recursive: true });
    renameSync(file, target);
    return [at.join('/'), to[0] as string];
  }
  rmSync(file, { recursive: true, force: true });
  mkdirSync(dirname(file), { recursive: true });
  if (kind === 'mkdir') mkdirSync(file);
  else if (kind === 'link') symlinkSync('..', file);
  // The fake judge takes every line of `index` for a path.
  else writeFileSync(file, at.at(-1) === 'index' ? '' : `content ${count++}`);
  return [at[0] as string];
}

/** Whether all above it are directories, or nothing. */
function isReal(root: string, at: readonly string[]): boolean {
  return at.slice(0, -1).every((_, depth) => {
    const stat = lstatSync(join(root, ...at.slice(0, depth + 1)), { throwIfNoEntry: false });
    return stat === undefined || stat.isDirectory();
  });
}

/** A run that is stopped while it imports. */
export async function killedRun(its: TestHome, source: string, options: RunOptions): Promise<void> {
  const controller = new AbortController();
  await its
    .add(source, { ...options, signal: controller.signal }, ({ type }) => {
      if (type === 'import') controller.abort(new Error('killed'));
    })
    .catch(() => {});
}
