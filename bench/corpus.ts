/**
 * Trees to measure on, made by recipe: the same recipe and scale give the same names, sizes, bytes and times on every machine.
 * A tree is made once and kept in the work directory, because making a million files takes longer than importing them.
 */
import { type Cipher, createCipheriv } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

export interface Corpus {
  readonly name: string;
  readonly dir: string;
  readonly files: number;
  readonly bytes: number;
}

interface Recipe {
  readonly files: number;
  /** Bytes of the next file. */
  readonly size: (random: () => number) => number;
  /** Fewest and most files of a directory. */
  readonly perDirectory: readonly [number, number];
  /** What `--scale` multiplies: how many files there are, or how large they are. */
  readonly scales: 'files' | 'sizes';
}

const MIB = 1024 * 1024;

const RECIPES: Readonly<Record<string, Recipe>> = {
  /** A package mirror: about 1.1 GB, the median file 10 KiB. */
  small: { files: 40_000, size: logNormal(10 * 1024, 1.4), perDirectory: [200, 1000], scales: 'files' },
  /** What a mirror is asked for: every file about 10 KiB, so that requests a second of different runs compare. */
  served: { files: 22_000, size: (random) => 1024 * (8 + 4 * random()), perDirectory: [200, 1000], scales: 'files' },
  small10k: { files: 10_000, size: logNormal(10 * 1024, 1.4), perDirectory: [200, 1000], scales: 'files' },
  /** Few huge files, as installation images. */
  large: { files: 6, size: () => 256 * MIB, perDirectory: [6, 6], scales: 'sizes' },
  /** The same, a gigabyte in all. */
  images: { files: 4, size: () => 256 * MIB, perDirectory: [4, 4], scales: 'sizes' },
  /** Nearly nothing but names: what memory that grows with the number of files shows up on. */
  tiny10k: { files: 10_000, size: logNormal(300, 0.5), perDirectory: [200, 1000], scales: 'files' },
  tiny100k: { files: 100_000, size: logNormal(300, 0.5), perDirectory: [200, 1000], scales: 'files' },
  /** One directory, as npm's or a CPAN mirror's index is. */
  wide: { files: 100_000, size: () => 20, perDirectory: [100_000, 100_000], scales: 'files' },
  tiny1m: { files: 1_000_000, size: logNormal(300, 0.5), perDirectory: [200, 1000], scales: 'files' },
};

export const CORPORA: readonly string[] = Object.keys(RECIPES);

/** In the name of every kept tree: change it with any recipe, so that an old tree is not taken for the new one. */
const GENERATION = 1;
/** 2023-11-14: mtimes lie well in the past, so that no tool takes a file for one that may still be changing. */
const FIRST_MTIME = 1_700_000_000;
const PIECE = Buffer.alloc(4 * MIB);

/** The tree of this recipe in `workDir`, made now if it is not there yet. */
export function corpusOf(name: string, scale: number, workDir: string, log: (line: string) => void): Corpus {
  const recipe = RECIPES[name];
  if (recipe === undefined) throw new Error(`unknown corpus "${name}", known: ${CORPORA.join(', ')}`);
  const dir = join(workDir, `${name}-x${scale}-g${GENERATION}`);
  const facts = `${dir}.json`;
  if (!existsSync(dir)) {
    log(`making corpus ${name} (kept for the next time)`);
    const unfinished = `${dir}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    const made = make(recipe, scale, unfinished);
    writeFileSync(facts, `${JSON.stringify(made)}\n`);
    // The rename is what says that the tree is complete.
    renameSync(unfinished, dir);
  }
  return { name, dir, ...(JSON.parse(readFileSync(facts, 'utf8')) as { files: number; bytes: number }) };
}

function make(recipe: Recipe, scale: number, dir: string): { files: number; bytes: number } {
  const files = recipe.scales === 'files' ? Math.max(1, Math.round(recipe.files * scale)) : recipe.files;
  const sizes = recipe.scales === 'sizes' ? scale : 1;
  const random = generator(files);
  const content = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'shardctl'), Buffer.alloc(16));
  const [fewest, most] = recipe.perDirectory;
  let bytes = 0;
  for (let directory = 0, file = 0; file < files; directory++) {
    const path = join(dir, `section${number(directory >> 5, 2)}`, `source${number(directory, 4)}`);
    mkdirSync(path, { recursive: true });
    const end = Math.min(files, file + fewest + Math.floor(random() * (most - fewest + 1)));
    for (; file < end; file++) {
      const size = Math.max(1, Math.round(recipe.size(random) * sizes));
      const name = join(path, `lib${number(file, 7)}_${1 + Math.floor(random() * 9)}.${Math.floor(random() * 20)}-1_amd64.deb`);
      writeRandom(name, size, content);
      // Fractions of a second, because a tool may treat whole seconds as a special case.
      utimesSync(name, FIRST_MTIME + file, FIRST_MTIME + file + (file % 997) / 1000);
      bytes += size;
    }
    utimesSync(path, FIRST_MTIME + file, FIRST_MTIME + file);
  }
  return { files, bytes };
}

/** A cipher over zeros: as incompressible as packages are, repeatable, and over 1 GB/s. */
function writeRandom(path: string, size: number, content: Cipher): void {
  const file = openSync(path, 'w');
  for (let left = size; left > 0; left -= PIECE.length) writeSync(file, content.update(PIECE.subarray(0, Math.min(left, PIECE.length))));
  closeSync(file);
}

/** Sizes of files follow a log-normal distribution nearly everywhere; `sigma` is that of the natural logarithm. */
function logNormal(median: number, sigma: number): (random: () => number) => number {
  return (random) => median * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
}

/** Mulberry32: numbers in [0, 1) that depend on the seed alone. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function number(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}
