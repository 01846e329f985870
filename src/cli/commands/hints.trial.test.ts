/** Commands that hints name are pasted into a shell, whatever a repository is called, and wherever the home is. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(6);

const NAME = "it's $(one) & more";

let program: Program;
beforeEach(() => {
  program = new Program();
  mkdirSync(program.path('source'));
  writeFileSync(program.path('source', 'file'), 'one');
  program.succeeds('add', 'source', '--name', NAME, '-q');
});
afterEach(() => program.dispose());

/** The words that a shell makes of the command in a message. */
function pasted(message: string): string[] {
  const command = /`shardctl ([^`]+)`/.exec(message)?.[1];
  assert.ok(command !== undefined, message);
  const words = execFileSync('sh', ['-c', `printf '%s\\0' ${command}`], { encoding: 'utf8' });
  return words.split('\0').slice(0, -1);
}

test('what is there instead is listed by the command of the hint', { skip: sample() }, () => {
  program.succeeds(...pasted(program.ends(40, 'ls', `${NAME}@9`).stderr));
  program.succeeds(...pasted(program.ends(40, 'ls', `${NAME}/none`).stderr));
});

test('a repository that came as a CAR gets its source by the command of the hint', { skip: sample() }, () => {
  program.succeeds('export', NAME, '--car', 'tree.car', '-q');
  program.succeeds('import-car', 'tree.car', '--name', `${NAME} too`, '-q');
  const { stderr } = program.ends(40, 'update', `${NAME} too`);
  program.succeeds(...pasted(stderr).map((word) => (word === 'DIR' ? 'source' : word)));
});

test('the head of a repository, which no forget lets go of, goes by the command of the hint', { skip: sample() }, () => {
  program.succeeds(...pasted(program.ends(2, 'forget', NAME, '1').stderr));
  assert.deepEqual(program.succeeds('snapshots', '-Q').lines, []);
});

test('a home that --home names is named by the commands of hints, warnings and results, and by those of no JSON', {
  skip: onlyInAll(),
}, () => {
  const home = "it's elsewhere";
  const elsewhere = (code: number, ...argv: string[]) => program.ends(code, ...argv, '--home', home);
  elsewhere(0, 'add', 'source', '--name', NAME, '-q');
  for (const options of [[], ['-q']]) {
    const words = pasted(elsewhere(40, 'ls', `${NAME}@9`, ...options).stderr);
    assert.deepEqual(words, ['--home', program.path(home), 'snapshots', NAME]);
    assert.match(program.succeeds(...words).stdout, /@1/);
  }
  assert.deepEqual(pasted(elsewhere(0, 'config', 'allocate-by', 'freespace,weight').stdout), ['--home', program.path(home), 'rebalance']);
  // Help is the same in every home, and JSON is for programs.
  assert.match(elsewhere(2, 'get', NAME).stderr, /try `shardctl get --help`/);
  const { stdout } = elsewhere(40, 'ls', `${NAME}@9`, '--json');
  assert.match(stdout, /"hint":"`shardctl snapshots /);
});

test('a home that the environment names is the same for the command of the hint', { skip: sample() }, () => {
  assert.deepEqual(pasted(program.ends(40, 'ls', `${NAME}@9`).stderr), ['snapshots', NAME]);
});
