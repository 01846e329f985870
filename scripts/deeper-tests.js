#!/usr/bin/env node
/**
 * Prints the built test files of which a sample has less than `all`: those that reach src/testing/depth.ts, themselves or
 * through what they import. Every other file does the same at both depths.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'src');
const DEPTH = join(root, 'testing', 'depth.js');

/** `import … from`, `export … from`, `import()`, and `new URL('./child.js', import.meta.url)`. */
const IMPORT = /(?:\bfrom\s+|\bimport\(\s*|\bnew URL\(\s*|\bimport\s+)'(\.[^']+\.js)'/g;

const reaches = new Map([[DEPTH, true]]);

function reachesDepth(file) {
  if (!reaches.has(file)) {
    reaches.set(file, false); // also for those that import each other in a circle
    const imports = [...readFileSync(file, 'utf8').matchAll(IMPORT)].map((match) => join(dirname(file), match[1]));
    reaches.set(
      file,
      imports.some((imported) => imported.startsWith(root) && reachesDepth(imported)),
    );
  }
  return reaches.get(file);
}

/** These take minutes each. They begin first: when the last of several files at once is one of them, the other cores wait for it. */
const LONGEST = ['trials/ten-days.test.js', 'trials/power-loss.test.js', 'trials/fetch/killed.test.js'];
const rank = (name) => (LONGEST.indexOf(name) + LONGEST.length + 1) % (LONGEST.length + 1);

const names = readdirSync(root, { recursive: true }).filter((name) => name.endsWith('.test.js') && reachesDepth(join(root, name)));
for (const name of names.sort().sort((a, b) => rank(a) - rank(b))) console.log(`dist/src/${name}`);
