/** Source trees as plain maps, for stages that take a walk: random ones, and the walk of one as `scan` would give it. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { type ByteString, DAG_PB, DIRECTORY, type EntryKind, FILE, SYMLINK } from '../core/model.ts';
import { joinBytes, keyOf } from '../core/path-bytes.ts';
import { EntriesReader } from '../index/entries/reader.ts';
import { EntriesWriter } from '../index/entries/writer.ts';
import { Directory, UNREADABLE } from '../walk/directory.ts';
import type { WalkStep } from '../walk/walk-step.ts';

export interface ModelEntry {
  readonly kind: EntryKind;
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  /** `look`: lstat fails. `list`: it is a directory, and listing it fails. */
  readonly fails?: 'look' | 'list' | undefined;
}

/** By path; the root is in no map. Every path's parent is a directory that can be listed. */
export type ModelTree = ReadonlyMap<ByteString, ModelEntry>;

/** Around `/` in byte order, beginnings of one another, and bytes that are no UTF-8. */
const NAMES = ['a', 'a!', 'a-b', 'a.b', 'a0', 'ab', 'b', '\x01', '\xff', 'a\xe4'];

/** Mostly the first, so that two draws are mostly equal. */
const mostly = <T>(usual: T, ...others: readonly T[]) =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const entry: fc.Arbitrary<ModelEntry> = fc.record({
  kind: fc.constantFrom<EntryKind[]>(FILE, FILE, DIRECTORY, SYMLINK),
  mode: mostly(0o644, 0o755, 0o4755),
  size: mostly(1, 0, 2),
  mtimeNs: mostly(1n, 2n, -(10n ** 18n)),
  ctimeNs: mostly(1n, 2n),
  inode: mostly(1n, 2n ** 63n),
});

export interface Planned {
  readonly path: ByteString;
  readonly entry: ModelEntry;
}

export const plannedEntries: fc.Arbitrary<readonly Planned[]> = fc.array(
  fc.record({ path: fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }).map((names) => names.join('/')), entry }),
  { maxLength: 25 },
);

/** The tree with these entries, the first of each path; directories above them are made, and what would be below a file is left out. */
export function treeOf(planned: readonly Planned[]): ModelTree {
  const tree = new Map<ByteString, ModelEntry>();
  for (const { path, entry: wanted } of planned) {
    const names = path.split('/');
    const above = names.slice(1).map((_, i) => names.slice(0, i + 1).join('/'));
    if (tree.has(path) || above.some((dir) => (tree.get(dir)?.kind ?? DIRECTORY) !== DIRECTORY || tree.get(dir)?.fails !== undefined))
      continue;
    for (const dir of above) if (!tree.has(dir)) tree.set(dir, { ...PLAIN_DIRECTORY });
    tree.set(path, wanted);
  }
  return tree;
}

const PLAIN_DIRECTORY: ModelEntry = { kind: DIRECTORY, mode: 0o755, size: 1, mtimeNs: 1n, ctimeNs: 1n, inode: 1n };

/** Names in a directory of the tree, by bytes. */
export function namesIn(tree: ModelTree, dir: ByteString): ByteString[] {
  const prefix = keyOf(dir);
  const below = [...tree.keys()].filter((path) => path.startsWith(prefix) && path !== dir);
  return below
    .map((path) => path.slice(prefix.length))
    .filter((name) => !name.includes('/'))
    .sort();
}

/** The walk, in the plainest way. */
export function* walkOf(tree: ModelTree, path: ByteString = '', parent?: Directory, index = -1): Generator<WalkStep, void, void> {
  const names = namesIn(tree, path);
  const directory = new Directory(path, parent, index, names);
  const children: number[] = [];
  for (const [i, name] of names.entries()) {
    const it = tree.get(joinBytes(path, name)) as ModelEntry;
    if (it.fails === 'look') directory.states[i] = UNREADABLE;
    else directory.setStat(i, it.kind, it);
    if (it.kind === DIRECTORY || it.fails === 'look') children.push(i);
  }
  yield { kind: 'enter', directory };
  for (const i of children.sort((a, b) => (keyOf(names[a] as string) < keyOf(names[b] as string) ? -1 : 1))) {
    const below = joinBytes(path, names[i] as string);
    if (tree.get(below)?.fails === undefined) {
      yield* walkOf(tree, below, directory, i);
    } else {
      const unreadable = new Directory(below, directory, i, [], true);
      yield { kind: 'enter', directory: unreadable };
      yield { kind: 'leave', directory: unreadable };
    }
  }
  yield { kind: 'leave', directory };
}

/** The entries of a committed snapshot of this tree. The caller closes them. */
export function entriesOf(tree: ModelTree, pathWithoutEnding: string): EntriesReader {
  const [hot, cold] = [`${pathWithoutEnding}.hot`, `${pathWithoutEnding}.cold`];
  const writer = new EntriesWriter({ hot, cold }, { rootMode: 0o755, rootMtime: 0n }, () => false);
  for (const step of walkOf(tree)) {
    if (step.kind === 'enter') writer.enter(step.directory);
    if (step.kind !== 'leave') continue;
    const { directory } = step;
    for (const [i, name] of directory.names.entries()) directory.setRoot(i, DAG_PB, digestOf(joinBytes(directory.path, name)), 0, 1 + i);
    writer.leave(directory);
  }
  writer.finish();
  return EntriesReader.open(hot, cold);
}

export function digestOf(text: string): Buffer {
  return createHash('sha256').update(text, 'latin1').digest();
}
