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

for (const name of readdirSync(root, { recursive: true }).sort()) {
  if (name.endsWith('.test.js') && reachesDepth(join(root, name))) console.log(`dist/src/${name}`);
}
