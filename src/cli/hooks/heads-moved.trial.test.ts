/** `--on-commit` of the commands that move a head without reading a source: `import-car`, `accept` and `recover`. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(3);

let program: Program;
let hook: string;
beforeEach(() => {
  program = new Program();
  const told = program.path('told');
  hook = `echo "$SHARDCTL_REPOSITORY@$SHARDCTL_NUMBER $SHARDCTL_TREE" >> '${told}'`;
  program.succeeds('peers', 'add', 'local', 'a');
  mkdirSync(program.path('m'));
  writeFileSync(program.path('m', 'f'), 'f');
  program.succeeds('add', 'm');
});
afterEach(() => program.dispose());

/** What the hook was told since it was asked last. */
function told(): string[] {
  try {
    return readFileSync(program.path('told'), 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  } finally {
    rmSync(program.path('told'), { force: true });
  }
}

test('import-car tells of the head that it makes, once', { skip: onlyInAll() }, () => {
  const { tree } = program.head('m');
  program.succeeds('export', 'm', '--car', 'm.car');
  program.succeeds('import-car', 'm.car', '--name', 'copy', '--on-commit', hook);
  assert.deepEqual(told(), [`copy@1 ${tree}`]);
  program.succeeds('import-car', 'm.car', '--name', 'copy', '--on-commit', hook);
  assert.deepEqual(told(), []);
  program.ends(2, 'import-car', 'm.car', '--name', 'copy', '--hook-timeout', 'soon');
});

test('accept tells of the snapshot that it makes the head', { skip: sample() }, () => {
  const binary = 'dists/torn/main/binary-amd64/Packages';
  mkdirSync(program.path('m', 'dists/torn/main/binary-amd64'), { recursive: true });
  writeFileSync(program.path('m', binary), '');
  const line = ` ${'0'.repeat(64)} 0 main/binary-amd64/Packages`;
  writeFileSync(program.path('m', 'dists/torn/Release'), `Suite: torn\nArchitectures: amd64\nComponents: main\nSHA256:\n${line}\n`);
  program.ends(26, 'update', 'm', '--gate', 'debian');
  program.succeeds('accept', 'm@2', '--on-commit', hook);
  assert.deepEqual(told(), [`m@2 ${program.head('m').tree}`]);
});

test('recover tells of each head that it brings back', { skip: sample() }, () => {
  program.succeeds('config', 'on-commit', hook);
  program.succeeds('add', 'm', '--name', 'n');
  told();
  const { tree } = program.head('m');
  rmSync(program.path('home', 'index'), { recursive: true });
  rmSync(program.path('home', 'runs'), { recursive: true });
  program.succeeds('recover', '--all');
  assert.deepEqual(told().sort(), [`m@1 ${tree}`, `n@1 ${tree}`]);
});
