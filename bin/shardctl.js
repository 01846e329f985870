#!/usr/bin/env node
import { statSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`shardctl: needs Node 20.19 or later, this is ${process.version}; install a newer Node`);
  process.exit(2);
}

/** In a checkout, what was compiled after the bundle was made of it is run as it was compiled. A package has the bundle alone. */
function newestProgram() {
  const [bundle, compiled] = ['../dist/program/cli/main.js', '../dist/src/cli/main.js'];
  const made = (path) => statSync(new URL(path, import.meta.url), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return made(compiled) > made(bundle) ? compiled : bundle;
}

try {
  const { main } = await import(newestProgram());
  await main(process.argv.slice(2));
} catch (error) {
  // What tells of failures is loaded when it is needed, and may not be loaded either.
  if (error.code !== 'EMFILE') throw error;
  console.error('shardctl: this process may have no more files open; `ulimit -n 4096` allows more in this shell');
  process.exit(1);
}
