/** Random trees and edits for laws about whole runs, and plain ones by hand. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';

/** A tree as data: a string is a file's content, `->target` in `link` a symlink, an object a directory. */
export interface TreeSpec {
  readonly [name: string]: string | Buffer | { readonly link: string } | TreeSpec;
}

/** Writes the tree below `dir`, which is made. */
export function writeTree(dir: string, spec: TreeSpec): string {
  mkdirSync(dir, { recursive: true });
  for (const [name, node] of Object.entries(spec)) {
    const path = join(dir, name);
    if (typeof node === 'string' || Buffer.isBuffer(node)) writeFileSync(path, node);
    else if (typeof node.link === 'string') symlinkSync(node.link, path);
    else writeTree(path, node as TreeSpec);
  }
  return dir;
}

/** One change to a tree. Paths are small numbers, so that edits meet each other. */
export type Edit =
  | { readonly kind: 'write'; readonly path: string; readonly content: string | Buffer }
  | { readonly kind: 'append'; readonly path: string }
  | { readonly kind: 'truncate'; readonly path: string }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly kind: 'touch'; readonly path: string; readonly seconds: number }
  /** Same size, mtime put back: only ctime tells. */
  | { readonly kind: 'rewrite'; readonly path: string }
  /** Enough long names to make the directory a HAMT directory, or to unmake it. */
  | { readonly kind: 'crowd'; readonly path: string; readonly count: number };

const name = fc.constantFrom('a', 'b', 'a-b', 'a.b', 'ä', 'B', '0', 'with space', 'new\nline');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));

export const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), path, content: fc.string({ maxLength: 60 }) }),
  fc.record({ kind: fc.constant('append' as const), path }),
  fc.record({ kind: fc.constant('truncate' as const), path }),
  fc.record({ kind: fc.constant('mkdir' as const), path }),
  fc.record({ kind: fc.constant('symlink' as const), path, target: name }),
  fc.record({ kind: fc.constant('remove' as const), path }),
  fc.record({ kind: fc.constant('rename' as const), path, to: path }),
  fc.record({ kind: fc.constant('chmod' as const), path, mode: fc.constantFrom(0o644, 0o755, 0o600, 0o4755) }),
  fc.record({ kind: fc.constant('touch' as const), path, seconds: fc.integer({ min: -1000, max: 2_000_000_000 }) }),
  fc.record({ kind: fc.constant('rewrite' as const), path }),
  fc.record({ kind: fc.constant('crowd' as const), path, count: fc.constantFrom(0, 900, 1300) }),
);

/** Applies an edit; one that does not fit the tree (a file where a directory is needed) does nothing. */
export function applyEdit(root: string, it: Edit): void {
  const target = join(root, it.path);
  try {
    switch (it.kind) {
      case 'write':
        mkdirSync(dirname(target), { recursive: true });
        writeFileSync(target, it.content);
        break;
      case 'append':
        if (lstatSync(target).isFile()) writeFileSync(target, 'more', { flag: 'a' });
        break;
      case 'truncate':
        if (lstatSync(target).isFile()) truncateSync(target, 1);
        break;
      case 'mkdir':
        mkdirSync(target, { recursive: true });
        break;
      case 'symlink':
        mkdirSync(dirname(target), { recursive: true });
        symlinkSync(it.target, target);
        break;
      case 'remove':
        rmSync(target, { recursive: true });
        break;
      case 'rename':
        renameSync(target, join(root, it.to));
        break;
      case 'chmod':
        if (!lstatSync(target).isSymbolicLink()) chmodSync(target, it.mode);
        break;
      case 'touch':
        if (!lstatSync(target).isSymbolicLink()) utimesSync(target, it.seconds, it.seconds);
        break;
      case 'rewrite': {
        const stat = lstatSync(target);
        if (!stat.isFile()) break;
        writeFileSync(target, 'x'.repeat(stat.size));
        utimesSync(target, stat.atime, stat.mtime);
        break;
      }
      case 'crowd':
        crowd(target, it.count);
        break;
    }
  } catch (error) {
    if (typeof (error as { code?: unknown }).code !== 'string') throw error;
  }
}

function crowd(dir: string, count: number): void {
  mkdirSync(dir, { recursive: true });
  for (const old of readdirSync(dir)) if (old.startsWith('crowd')) rmSync(join(dir, old));
  for (let i = 0; i < count; i++) writeFileSync(join(dir, `crowd-${'x'.repeat(200)}-${i}`), '');
}
