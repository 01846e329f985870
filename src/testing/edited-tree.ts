/** Random edits of a tree: of what is there, whole directories moved about, out of it and back. */
import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { fsPath } from '../core/path-bytes.ts';
import { entriesOf } from './watched.ts';

const NAMES = ['a', 'b', 'caf\xe9'];
/** Which of the entries that are there, by its number; `to` is a directory of them. */
export const which = fc.record({ of: fc.nat(30), to: fc.nat(30), name: fc.constantFrom(...NAMES) });
const kinds = ['write', 'mkdir', 'mkdir', 'remove', 'chmod', 'touch', 'append', 'rename', 'rename', 'rename', 'onto', 'out', 'in'] as const;
/** Edits of a tree, for `edit`. */
export const edits = fc.tuple(fc.constantFrom(...kinds), which);
let clock = 1;
export type Edit = readonly [what: string, { readonly of: number; readonly to: number; readonly name: string }];

/** What cannot be done is not done. @param outside a directory from which and to which whole trees move */
export function edit(root: string, outside: string, [what, { of, to, name }]: Edit): void {
  const entries = entriesOf(root);
  const all = ['', ...entries.keys()];
  const directories = ['', ...[...entries].flatMap(([path, stat]) => (stat.isDirectory() ? [path] : []))];
  const at = fsPath(`${root}/${all[of % all.length]}`);
  const made = fsPath(`${root}/${directories[to % directories.length]}/${name}`);
  const aside = fsPath(`${outside}/${name}`);
  try {
    if (what === 'write') writeFileSync(made, `content ${clock++}`);
    else if (what === 'append') writeFileSync(at, 'more', { flag: 'a' });
    else if (what === 'mkdir') mkdirSync(made, { recursive: true });
    else if (what === 'chmod') chmodSync(at, 0o700 + (clock++ % 8));
    else if (what === 'touch') utimesSync(at, clock++, clock++);
    else if (what === 'in') renameSync(aside, made);
    else if (of % all.length === 0) return;
    else if (what === 'remove') rmSync(at, { recursive: true });
    else if (what === 'rename') renameSync(at, made);
    else if (what === 'out') renameSync(at, aside);
    else if (what === 'onto') {
      mkdirSync(made);
      renameSync(at, made);
    }
  } catch {
    // There is no such entry, or it is of another kind, or not empty.
  }
}
