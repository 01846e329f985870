/** `--grace` with no peer to spare: cron hears nothing while a peer is waited for, and is told once when that time is over. */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

/** Each runs the program many times, which takes long. */
const sample = () => onlyInAll();

let program: Program;
beforeEach(() => {
  program = new Program();
  for (const name of ['a', 'b']) program.succeeds('peers', 'add', 'local', name);
  mkdirSync(program.path('m'));
  change('first');
  program.succeeds('add', 'm', '--replication', '2');
});
afterEach(() => program.dispose());

const change = (text: string) => writeFileSync(program.path('m', text), text);
const goes = (peer: string) => renameSync(program.path(peer), program.path(`${peer}.away`));
const returns = (peer: string) => renameSync(program.path(`${peer}.away`), program.path(peer));

/** What cron would mail. */
function mailOf(code: number, ...argv: string[]): string {
  const { stdout, stderr } = program.ends(code, ...argv, '-q');
  return stdout + stderr;
}

test('within the grace an update commits to the peers that are left, in silence; the one that is back is given the rest', {
  skip: sample(),
}, () => {
  goes('b');
  for (const grace of [[], ['--repair']]) {
    change(`more${grace.length}`);
    assert.equal(mailOf(0, 'update', 'm', '--grace', '6h', ...grace), '');
    assert.equal(mailOf(0, 'update', 'm', '--grace', '6h', ...grace), '', 'and when nothing has changed');
  }
  assert.equal(mailOf(0, 'check', '--grace', '6h'), '');
  program.ends(46, 'status', '--at-risk');
  returns('b');
  program.succeeds('update', 'm', '--repair', '--grace', '6h');
  program.succeeds('status', '--at-risk');
  program.succeeds('verify', '--read-data');
});

test('a run says once that fewer replicas are made, and until when the peer is waited for', { skip: sample() }, () => {
  goes('b');
  change('more');
  const { stdout } = program.succeeds('update', 'm', '--grace', '6h');
  assert.equal(stdout.match(/peer b does not answer, and is waited for until .*; until then 1 replica of 2 is made/g)?.length, 1, stdout);
});

test('when the grace is over the update ends with 42, as it does without one', { skip: sample() }, () => {
  goes('b');
  change('more');
  program.succeeds('update', 'm', '--grace', '6h');
  writeFileSync(program.path('home', 'runs', 'silent.json'), `{"b":{"since":"2020-01-01T00:00:00.000Z"}}\n`);
  change('yet more');
  assert.match(mailOf(42, 'update', 'm', '--grace', '6h'), /2 replicas are asked for/);
  assert.match(mailOf(42, 'update', 'm'), /2 replicas are asked for/);
  program.ends(42, 'update', 'm', '-n');
});

test('a dry run goes by the same grace, and notes nothing', { skip: sample() }, () => {
  goes('b');
  change('more');
  program.succeeds('update', 'm', '-n', '--grace', '6h');
  program.ends(42, 'update', 'm', '-n');
});

test('without any peer that answers nothing is committed, grace or not', { skip: sample() }, () => {
  goes('a');
  goes('b');
  change('more');
  program.ends(42, 'update', 'm', '--grace', '6h');
});

test('a peer that stays silent is told by the first run, then by check alone until it is back, and then by one run', {
  skip: sample(),
}, () => {
  program.succeeds('peers', 'add', 'local', 'c');
  program.succeeds('rebalance');
  goes('c');
  assert.match(mailOf(0, 'update', 'm'), /^warning: peer c is left out: [^\n]*\n$/);
  change('more');
  for (const argv of [
    ['update', 'm'],
    ['update', 'm', '--repair'],
  ]) {
    // What the rebalance gave to c, if it gave it anything, is mended, which is told, too.
    const mail = mailOf(0, ...argv).replaceAll(/^mended: shard [^\n]* on [ab]\n/gm, '');
    assert.equal(mail, '', argv.join(' '));
  }
  for (const day of [1, 2]) {
    const mail = mailOf(42, 'check').replaceAll(/^mended: shard [^\n]* on [ab]\n/gm, '');
    assert.match(
      mail,
      /^warning: peer c has not answered since [^\n]*`shardctl [^`]*peers rm c --force` and then `shardctl [^`]*repair`[^\n]*\n$/,
      `day ${day}`,
    );
  }
  returns('c');
  assert.match(mailOf(0, 'update', 'm'), /^peer c answers again[^\n]*\n$/);
  assert.equal(mailOf(0, 'update', 'm'), '');
});
