/** What a run was told is not what the next one is told: OUT is then what the next one says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { onlyInAll } from '../testing/depth.ts';
import { treeState } from '../testing/hard-tree.ts';
import { without } from '../testing/package-tools/required.ts';
import { BIN, Program } from '../testing/program.ts';
import { ServeProcess } from '../testing/serve-process.ts';

const NOBODY = 65534;

let program: Program;
let served: ServeProcess;
before(async () => {
  program = new Program();
  mkdirSync(program.path('mirror', 'pool'), { recursive: true });
  for (const name of ['pool/a.deb', 'pool/a.dsc', 'set']) writeFileSync(program.path('mirror', name), name);
  chmodSync(program.path('mirror', 'set'), 0o4755);
  program.succeeds('add', program.path('mirror'), '--name', 'mirror', '-q');
  served = await ServeProcess.start(program, '--listen', '127.0.0.1:0');
});
after(async () => {
  await served.stop();
  program.dispose();
});

const fetch = (out: string, ...options: string[]) => program.succeeds('fetch', `${served.url}/mirror`, program.path(out), '-q', ...options);

test('what was left out comes when it is left out no more, and what was there before stays, also with --delete', () => {
  const deb = program.path('first', 'pool/a.deb');
  fetch('first', '--exclude', '*.deb');
  assert.ok(!existsSync(deb));
  fetch('first', '--delete');
  assert.ok(existsSync(deb));
  fetch('first', '--exclude', '*.deb');
  fetch('first', '--delete');
  assert.ok(existsSync(deb));
});

test('bits that were withheld come when they are asked for', () => {
  const modeOf = () => lstatSync(program.path('bits', 'set')).mode & 0o7777;
  fetch('bits');
  assert.equal(modeOf(), 0o755);
  fetch('bits', '--special-bits');
  assert.equal(modeOf(), 0o4755);
});

test('a directory whose mode somebody has changed gets it back', () => {
  fetch('modes');
  const pool = program.path('modes', 'pool');
  const { mode } = lstatSync(pool);
  chmodSync(pool, 0o777);
  fetch('modes');
  assert.equal(lstatSync(pool).mode, mode);
});

test('a directory does not make way for a file when it holds what is excluded, or, without --delete, what was edited', {
  skip: onlyInAll(),
}, () => {
  const source = program.path('way');
  mkdirSync(join(source, 'was'), { recursive: true });
  writeFileSync(join(source, 'was/file'), 'as published');
  for (const name of ['one', 'two']) writeFileSync(join(source, name), name);
  program.succeeds('add', source, '--name', 'way', '-q');
  const url = `${served.url}/way`;
  for (const out of ['excluded', 'edited']) program.succeeds('fetch', url, program.path(out), '-q');
  writeFileSync(program.path('excluded', 'was/some.local'), 'mine');
  writeFileSync(program.path('edited', 'was/file'), 'by hand');
  rmSync(join(source, 'was'), { recursive: true });
  writeFileSync(join(source, 'was'), 'a file');
  program.succeeds('update', 'way', '-q', '--max-delete', 'none');
  const refused = (out: string, ...options: string[]) => {
    const { code, stderr } = program.run('fetch', url, program.path(out), '-q', ...options);
    assert.equal(code, 23, stderr);
    return stderr;
  };
  assert.match(refused('excluded', '--delete', '--exclude', '*.local'), /"was\/some\.local" elsewhere/);
  assert.match(refused('edited'), /"was\/file" elsewhere.*--delete/);
  assert.equal(readFileSync(program.path('edited', 'was/file'), 'utf8'), 'by hand');
  program.succeeds('fetch', url, program.path('edited'), '-q', '--delete');
  assert.equal(readFileSync(program.path('edited', 'was'), 'utf8'), 'a file');
});

test('an ordinary user gets directories and files that not even their owner may read, and updates such files', {
  skip: onlyInAll(process.getuid?.() === 0 ? without('setpriv', 'setpriv') : 'needs root'),
}, async (t) => {
  const source = program.path('odd');
  const write = (name: string, mode = 0) => writeFileSync(join(source, name), `${name} `.repeat(100), { mode });
  mkdirSync(join(source, 'closed/dists'), { recursive: true });
  for (const name of ['closed/dists/Release', 'file', 'other']) write(name);
  chmodSync(join(source, 'closed'), 0o333);
  program.succeeds('add', source, '--name', 'odd', '--quiet');
  chmodSync(program.dir, 0o755);
  const own = program.path('own');
  mkdirSync(own);
  chownSync(own, NOBODY, NOBODY);
  const asUser = (...command: string[]) =>
    spawnSync('setpriv', ['--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups', ...command], { cwd: own, encoding: 'utf8' });
  if (asUser('test', '-r', BIN).status !== 0) return t.skip('the program may not be read by others here');
  const copies = () => {
    const { status, stderr } = asUser(process.execPath, BIN, 'fetch', `${served.url}/odd`, 'copy', '--delete', '-q');
    assert.deepEqual([status, stderr], [0, '']);
    const copied = [...treeState(join(own, 'copy'))].filter(([path]) => !path.includes('.shardctl-fetch'));
    assert.deepEqual(copied, [...treeState(source)]);
  };
  copies();
  renameSync(join(source, 'file'), join(source, 'renamed'));
  write('other', 0o644);
  chmodSync(join(source, 'other'), 0);
  program.succeeds('update', 'odd', '--quiet');
  copies();
});
