/** Single edits of a mirror, chosen at random. Each says in a line what it did. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Random } from './random.ts';

const MOST_ENTRIES = 70;
const NAMES = ['a', 'b', 'pool', 'dists', 'a.b', 'ä', '0', 'with space', 'new\nline', 'z'];
const CROWD = 'crowd-';

export interface Paths {
  readonly files: readonly string[];
  /** Parents before what is in them: the first one is the mirror itself. */
  readonly directories: readonly string[];
  readonly others: readonly string[];
}

/** All of it, always in the same order. */
export function pathsOf(root: string): Paths {
  const paths = { files: [] as string[], directories: [root], others: [] as string[] };
  for (const dir of paths.directories) {
    for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) paths.directories.push(path);
      else (entry.isFile() ? paths.files : paths.others).push(path);
    }
  }
  return paths;
}

/** A path as it stands in a log. */
export function shortened(root: string, path: string): string {
  return JSON.stringify(relative(root, path) || '.');
}

export function editOnce(root: string, random: Random): string {
  const paths = pathsOf(root);
  const files = paths.files;
  const others = paths.others.filter((path) => !path.includes(CROWD));
  const below = paths.directories.slice(1);
  const short = (path: string) => shortened(root, path);
  const fresh = () => join(random.pick(paths.directories), `${random.pick(NAMES)}-${random.below(50)}`);
  const freshInstead = () => {
    const path = fresh();
    rmSync(path, { force: true, recursive: true });
    return path;
  };
  const write = (path: string, bytes: number) => {
    rmSync(path, { force: true, recursive: true });
    writeFileSync(path, random.bytes(bytes));
    return `${short(path)} written, ${bytes} bytes`;
  };
  const remove = (path: string) => {
    rmSync(path, { recursive: true });
    return `${short(path)} removed`;
  };

  const crowded = paths.others.find((path) => path.includes(CROWD));
  if (crowded !== undefined && random.chance(0.2)) return remove(dirname(crowded));
  const full = files.length + below.length + others.length > MOST_ENTRIES;
  if (files.length < 4) return write(fresh(), random.mostlySmall(1, 20_000));
  if (full || random.chance(0.15))
    return remove(random.pick(full && random.chance(0.3) && below.length > 0 ? below : [...files, ...others]));

  const file = random.pick(files);
  const edits = [
    { weight: 5, run: () => write(fresh(), random.mostlySmall(1, 20_000)) },
    { weight: 1, run: () => write(fresh(), random.between(40_000, 150_000)) },
    { weight: 2, run: () => write(file, random.mostlySmall(1, 20_000)) },
    { weight: 2, run: () => append(file) },
    { weight: 1, run: () => truncate(file) },
    { weight: 2, run: () => rename(random.pick([...files, ...below]), fresh()) },
    { weight: 2, run: () => copy(file, fresh()) },
    { weight: 1, run: () => link(file, fresh()) },
    { weight: 1, run: () => symlink(freshInstead()) },
    { weight: 1, run: () => chmod(file) },
    { weight: 1, run: () => makeDirectory(fresh()) },
    { weight: 0.5, run: () => (below.length > 1 ? remove(random.pick(below)) : makeDirectory(fresh())) },
    { weight: 0.1, run: () => crowd(freshInstead()) },
  ];
  return random.weighted(edits).run();

  function append(path: string): string {
    const bytes = random.mostlySmall(1, 10_000);
    writeFileSync(path, random.bytes(bytes), { flag: 'a' });
    return `${short(path)} grown by ${bytes} bytes`;
  }

  function truncate(path: string): string {
    const bytes = random.below(lstatSync(path).size + 1);
    truncateSync(path, bytes);
    return `${short(path)} cut to ${bytes} bytes`;
  }

  function rename(from: string, to: string): string {
    if (`${to}/`.startsWith(`${from}/`) || `${from}/`.startsWith(`${to}/`)) return write(join(root, 'renamed'), 10);
    rmSync(to, { force: true, recursive: true });
    renameSync(from, to);
    return `${short(from)} renamed to ${short(to)}`;
  }

  function copy(from: string, to: string): string {
    if (`${from}/`.startsWith(`${to}/`)) return append(from);
    rmSync(to, { force: true, recursive: true });
    copyFileSync(from, to);
    return `${short(from)} copied to ${short(to)}`;
  }

  function link(from: string, to: string): string {
    if (`${from}/`.startsWith(`${to}/`)) return append(from);
    rmSync(to, { force: true, recursive: true });
    linkSync(from, to);
    return `${short(to)} is a hard link to ${short(from)}`;
  }

  function symlink(path: string): string {
    symlinkSync(random.pick(['nowhere', '..', '/absolute', 'a']), path);
    return `${short(path)} is a symlink`;
  }

  function chmod(path: string): string {
    const mode = random.pick([0o644, 0o755, 0o600, 0o444]);
    chmodSync(path, mode);
    return `${short(path)} has mode ${mode.toString(8)}`;
  }

  function makeDirectory(path: string): string {
    if (existsSync(path)) return remove(path);
    mkdirSync(path);
    return `${short(path)} is a directory`;
  }

  /** Enough long names for a HAMT directory. */
  function crowd(path: string): string {
    mkdirSync(path);
    for (let i = 0; i < 960; i++) symlinkSync(`${i % 5}`, join(path, `${CROWD}${'x'.repeat(220)}-${i}`));
    return `${short(path)} is crowded`;
  }
}
