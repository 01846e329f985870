/** What happens to a mirror between two updates, done to a copy of a corpus: the same edits for the same round on every machine. */
import { spawnSync } from 'node:child_process';
import { lstatSync, lutimesSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Edit {
  readonly name: string;
  /** Changes the tree; returns the paths of files with other bytes, relative to it. */
  readonly apply: (tree: string, round: number) => readonly string[];
}

/** One file in this many is rewritten. */
const ONE_IN = 100;

export const EDITS: readonly Edit[] = [
  { name: 'nothing', apply: () => [] },
  {
    name: '1 % rewritten, everywhere',
    apply: (tree, round) => {
      const changed = filesOf(tree).filter((_, i) => i % ONE_IN === round % ONE_IN);
      for (const path of changed) rewrite(join(tree, path), round);
      return changed;
    },
  },
  {
    // As a mirror changes: some packages have new versions, and the others stand still.
    name: '1 % rewritten, together',
    apply: (tree, round) => {
      const files = filesOf(tree);
      const count = Math.ceil(files.length / ONE_IN);
      const changed = files.slice(round * count, (round + 1) * count);
      for (const path of changed) rewrite(join(tree, path), round);
      return changed;
    },
  },
  {
    name: 'one entry added',
    apply: (tree, round) => {
      const path = join(largestDirectory(tree), `added-${round}`);
      writeFileSync(join(tree, path), `round ${round}`);
      return [path];
    },
  },
  {
    name: 'all touched',
    apply: (tree, round) => {
      for (const path of filesOf(tree)) {
        const mtime = 1_600_000_000 + round;
        lutimesSync(join(tree, path), mtime, mtime);
      }
      return [];
    },
  },
];

/** A copy that may be changed, in the place of the one before. */
export function copyTree(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(dirname(to), { recursive: true });
  const { status } = spawnSync('cp', ['-a', from, to], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`copying ${from} failed`);
}

/** As `copyTree`, of links: only whoever replaces a file changes the copy alone. */
export function linkedCopy(from: string, to: string): void {
  const { status } = spawnSync('cp', ['-al', from, to], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`linking ${from} failed`);
}

/** One of a hundred files is replaced, everywhere; where there are fewer, a hundredth of each. @returns how many bytes differ */
export function changeOnePercent(tree: string): number {
  const files = filesOf(tree);
  const some = files.length < ONE_IN ? files : files.filter((_, i) => i % ONE_IN === 0);
  let changed = 0;
  for (const path of some) {
    const bytes = readFileSync(join(tree, path));
    const count = files.length < ONE_IN ? Math.ceil(bytes.length / ONE_IN) : bytes.length;
    const from = (bytes.length - count) >> 1;
    for (let i = from; i < from + count; i++) bytes[i] = (bytes[i] as number) ^ 1;
    rmSync(join(tree, path));
    writeFileSync(join(tree, path), bytes);
    changed += count;
  }
  return changed;
}

/** The files alone, in directories of their own. */
export function copyFiles(tree: string, paths: readonly string[], to: string): void {
  rmSync(to, { recursive: true, force: true });
  for (const path of paths) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    writeFileSync(join(to, path), readFileSync(join(tree, path)));
  }
}

export function bytesOf(tree: string, paths: readonly string[]): number {
  return paths.reduce((sum, path) => sum + lstatSync(join(tree, path)).size, 0);
}

/** All bytes become others, and as many stay as there were. */
function rewrite(path: string, round: number): void {
  const bytes = readFileSync(path);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ (round + 1);
  writeFileSync(path, bytes);
}

export function filesOf(tree: string, below = ''): string[] {
  return readdirSync(join(tree, below), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? filesOf(tree, join(below, entry.name)) : [join(below, entry.name)]));
}

function largestDirectory(tree: string): string {
  const directories = (below: string): string[] => [
    below,
    ...readdirSync(join(tree, below), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => directories(join(below, entry.name))),
  ];
  const counted = directories('').map((path) => ({ path, entries: readdirSync(join(tree, path)).length }));
  return counted.reduce((most, it) => (it.entries > most.entries ? it : most)).path;
}
