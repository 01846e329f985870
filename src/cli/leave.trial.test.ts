/** A process ends when its command is over, also where Node cannot take itself down. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BIN, Program } from '../testing/program.ts';

const PRELOADED = new URL('../testing/endless-exit.js', import.meta.url).href;

let program: Program;
before(() => {
  program = new Program();
  mkdirSync(program.path('m'));
  writeFileSync(program.path('m', 'a'), 'a');
});
after(() => program.dispose());

/** A run that hangs is killed, and has no exit code then. */
function codeOf(...argv: string[]): number | null {
  const command = ['--import', PRELOADED, BIN, '--home', program.home, ...argv];
  return spawnSync(process.execPath, command, { cwd: program.dir, timeout: 60_000, killSignal: 'SIGKILL' }).status;
}

test('whatever a command ends with, its process ends, and leaves no lock', { skip: process.platform !== 'linux' }, () => {
  assert.equal(codeOf('add', 'm', '-q'), 0);
  writeFileSync(program.path('m', 'b'), 'b');
  assert.equal(codeOf('update', '-q'), 0);
  assert.equal(codeOf('ls', 'nothing'), 40);
  assert.equal(codeOf('update', '--no-such-option'), 2);
  assert.deepEqual(readdirSync(join(program.home, 'lock')), []);
});
