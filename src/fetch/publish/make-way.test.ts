import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { without } from '../../testing/package-tools/required.ts';
import { type MayGo, refuseToReplace } from './make-way.ts';
import { movesOf } from './moves.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-make-way-'));
});
after(() => rmSync(dir, { recursive: true }));

function write(root: string, paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), path);
  }
}

test('a directory with something in it that must stay does not make way for a file; one that may go with all in it does', () => {
  const [out, staging] = [join(dir, 'way'), join(dir, 'staging')];
  write(out, ['was/ours', 'was/deep/theirs']);
  write(staging, ['was']);
  const { inOrder } = movesOf(staging, out, () => true, true);
  const refuses = (mayGo: MayGo, name: RegExp) =>
    assert.throws(() => refuseToReplace(out, inOrder, mayGo, 'do this'), { code: 'NOT_WRITTEN', message: /"was"/, hint: name });
  refuses((path) => path !== 'was/deep/theirs', /"was\/deep\/theirs" elsewhere, or do this/);
  refuses((path, isDirectory) => isDirectory || path !== 'was/ours', /ours/);
  refuses((path, isDirectory) => path !== 'was' || !isDirectory, /"was"/);
  refuseToReplace(out, inOrder, (path) => path.startsWith('was'), 'do this');
});

test('what is in a directory that its owner may not list is looked at, too, and the directory keeps its mode', {
  skip: process.getuid?.() === 0 ? without('setpriv', 'setpriv') : false,
}, (t) => {
  const [out, staging] = [join(dir, 'closed'), join(dir, 'closed-staging')];
  write(out, ['was/ours']);
  write(staging, ['was']);
  chmodSync(join(out, 'was'), 0o311);
  // Root may list whatever there is: then this is run by somebody else.
  const script = `
    const { refuseToReplace } = await import(${JSON.stringify(new URL('./make-way.js', import.meta.url).href)});
    const { movesOf } = await import(${JSON.stringify(new URL('./moves.js', import.meta.url).href)});
    const [out, staging] = ${JSON.stringify([out, staging])};
    const { inOrder } = movesOf(staging, out, () => true, true);
    try { refuseToReplace(out, inOrder, (path) => path === 'was', ''); console.log('replaced'); } catch (error) { console.log(error.hint); }`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const isRoot = process.getuid?.() === 0;
  if (isRoot) for (const path of [dir, out, staging, join(out, 'was'), join(out, 'was/ours')]) chownSync(path, 65534, 65534);
  const [command = '', ...args] = isRoot ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', ...node] : node;
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: '/' });
  if (stdout === '' && /EACCES/.test(stderr)) return t.skip('the program may not be read by others here');
  assert.match(stdout, /"was\/ours" elsewhere/, stderr);
  assert.equal(statSync(join(out, 'was')).mode & 0o777, 0o311);
});
