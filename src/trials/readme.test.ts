/** The README is true: every command in it is run, in a place as a reader would have it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../core/errors.ts';
import { freePort } from '../testing/free-port.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

const RELEASE = readFileSync(join(ROOT, 'fixtures', 'debian', 'dists', 'bookworm', 'Release'), 'utf8');
const blocks = [...README.matchAll(/^```sh\n(.*?)^```/gms)].map((match) => (match[1] as string).trim());

test('the first two blocks are one line each: the main job, then the tests (both are run by .ci/run in a fresh clone)', () => {
  // Into a home of its own: a later `add` must not meet what somebody has tried.
  const [, source, home] = /^npm ci && npx shardctl add (\S+) --home \.\/(\S+)$/.exec(blocks[0] ?? '') ?? [];
  assert.ok(source !== undefined && existsSync(join(ROOT, source)), blocks[0]);
  assert.equal(blocks[1], 'npm ci && npm test');
  for (const list of ['.gitignore', 'biome.json']) assert.match(readFileSync(join(ROOT, list), 'utf8'), new RegExp(`["/!]${home}["/]`));
});

test('its figures are those of the results that it names: scripts/figures makes them', () => {
  const made = spawnSync(process.execPath, [join(ROOT, 'scripts', 'figures'), '--print'], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  assert.equal(made.stdout, README);
  assert.match(README, /<!-- figures: .*\n\n(\|.*\n){3,}/);
});

test('what is tried stays in its own home', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-try-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  cpSync(join(ROOT, 'fixtures', 'debian'), join(dir, 'fixtures', 'debian'), { recursive: true, verbatimSymlinks: true });
  const env = { ...process.env, HOME: dir, SHARDCTL_HOME: '' };
  const run = (words: string) =>
    spawnSync(process.execPath, [join(ROOT, 'bin', 'shardctl.js'), ...words.split(' ')], { cwd: dir, env, encoding: 'utf8' });
  const tried = run((blocks[0] ?? '').replace('npm ci && npx shardctl ', ''));
  assert.equal(tried.status, 0, tried.stderr);
  assert.ok(!existsSync(join(dir, '.shardctl')));
  const looked = /`npx shardctl (ls [^`]*)`/.exec(README)?.[1] as string;
  assert.match(run(looked).stdout, / dists$/m);
});

test('every other command does what the README says, one after the other', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-readme-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  cpSync(join(ROOT, 'fixtures', 'debian'), join(dir, 'mirror'), { recursive: true, verbatimSymlinks: true });
  const bin = join(dir, 'shardctl');
  symlinkSync(join(ROOT, 'bin', 'shardctl.js'), bin);
  chmodSync(join(ROOT, 'bin', 'shardctl.js'), 0o755);
  const env = { ...process.env, HOME: dir, SHARDCTL_HOME: '', PATH: `${dir}${delimiter}${process.env.PATH}` };
  const port = await freePort();
  // What goes on in the background is one script with what is done meanwhile.
  const commands = blocks.slice(2).flatMap((block) => (block.includes(' &\n') ? [block.replaceAll('8080', port)] : block.split('\n')));
  assert.ok(commands.length >= 12);
  const hasCurl = spawnSync('curl', ['--version']).status === 0;
  for (const command of commands) {
    if (command.includes('curl') && !hasCurl) {
      t.diagnostic(`left out, because curl is not installed: ${command}`);
      continue;
    }
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: dir, env, encoding: 'utf8' });
    assert.equal(status, 0, `${command}\n${stderr}`);
    if (/ -q\b/.test(command)) assert.equal(stdout + stderr, '', command);
    else if (command.includes('curl')) assert.equal(stdout, RELEASE + RELEASE);
    else if (command.startsWith('shardctl get')) assertSame(dir, 'mirror', 'restored');
    else if (command.startsWith('shardctl') && !command.includes(' peers add ')) assert.notEqual(stdout, '', command);
  }
});

function assertSame(cwd: string, a: string, b: string): void {
  const { status, stdout } = spawnSync('diff', ['-r', '--no-dereference', a, b], { cwd, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
}

test('its table of exit codes is the program’s', () => {
  const documented = [...README.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap((match) => (match[1] as string).split(',').map(Number));
  // A row may have several that mean the same.
  assert.deepEqual(
    documented.toSorted((a, b) => a - b),
    Object.values(EXIT),
  );
});
