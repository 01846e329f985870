/** Of what `scripts/pack` and `scripts/make-deb` are made: they refuse to make a program that lacks a part. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { without } from '../testing/package-tools/required.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const WITH_BINARIES = ['koffi', 'lmdb', 'msgpackr-extract'];
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-packing-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(path: string, content: unknown): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), typeof content === 'string' ? content : JSON.stringify(content));
}

function script(name: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'scripts', name), args, { cwd: dir, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

/** An installed program. @param broken of which of its packages npm has left the binary out */
function install(broken?: string): void {
  write('installed/package.json', { name: 'shardctl', version: '1.2.3-rc.1' });
  for (const name of WITH_BINARIES)
    write(`installed/node_modules/${name}/index.js`, name === broken ? 'throw new Error("no native build")' : '');
}

test('each binary that the program loads has to be there', () => {
  install();
  assert.deepEqual(script('load-binaries', 'installed'), { status: 0, output: '' });
  for (const name of WITH_BINARIES) {
    install(name);
    const { status, output } = script('load-binaries', 'installed');
    assert.equal(status, 1);
    assert.match(output, new RegExp(`^scripts/load-binaries: ${name} has no binary for \\w+, \\w+: no native build$`, 'm'));
  }
});

test('of an installation without a binary no Debian package is made', { skip: without('dpkg-dev', 'dpkg-deb') }, () => {
  install('koffi');
  const { status, output } = script('make-deb', 'made', 'installed');
  assert.notEqual(status, 0);
  assert.match(output, /koffi has no binary/);
  assert.deepEqual(readdirSync(join(dir, 'made')), []);
});

test('to dpkg a candidate is before its version; the name of the file has no character that GitHub changes', {
  skip: without('dpkg-dev', 'dpkg-deb'),
}, () => {
  install();
  for (const path of ['docs/a-page', 'README.md', 'CHANGELOG.md', 'LICENSE-MIT', 'man/shardctl.1']) write(`installed/${path}`, '');
  write('installed/bin/shardctl.js', '#!/bin/sh\n');
  chmodSync(join(dir, 'installed/bin/shardctl.js'), 0o755);
  const { status, output } = script('make-deb', 'made', 'installed');
  assert.equal(status, 0, output);
  const [made = ''] = readdirSync(join(dir, 'made'));
  assert.match(made, /^shardctl_1\.2\.3-rc\.1_\w+\.deb$/);
  const version = spawnSync('dpkg-deb', ['--field', join(dir, 'made', made), 'Version'], { encoding: 'utf8' }).stdout.trim();
  assert.equal(version, '1.2.3~rc.1');
  assert.equal(spawnSync('dpkg', ['--compare-versions', version, 'lt', '1.2.3']).status, 0);
});

test('what npm has installed without fetching binaries makes no Debian package', {
  skip: without('dpkg-dev', 'dpkg-deb') || without('npm', 'npm'),
}, () => {
  // A package without dependencies is what npm leaves of one whose binaries it cannot have.
  write('package/package.json', { name: 'shardctl', version: '1.2.3' });
  assert.equal(spawnSync('tar', ['-czf', 'shardctl.tgz', 'package'], { cwd: dir }).status, 0);
  const { status, output } = script('make-deb', 'made', join(dir, 'shardctl.tgz'));
  assert.notEqual(status, 0);
  for (const name of WITH_BINARIES) assert.match(output, new RegExp(`${name} has no binary`));
  assert.deepEqual(readdirSync(join(dir, 'made')), []);
});

interface Lock {
  packages: Record<string, { version: string; os?: string[] }>;
}

/** Of the lock: enough to tell what is carried from what is fetched. */
const SOME = /^(node_modules\/(koffi|lmdb|yargs|@koromix|@lmdb)(\/|$)|$)/;

/** A clone with a part of this one's lock. @param change what is wrong with it */
function clone(change: (lock: Lock) => void = () => {}): void {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  lock.packages = Object.fromEntries(Object.entries(lock.packages).filter(([path]) => SOME.test(path)));
  for (const [path, { version, os }] of Object.entries(lock.packages)) {
    if (path === '' || os !== undefined) continue;
    write(`clone/${path}/package.json`, { version, scripts: { install: 'make' } });
    write(`clone/${path}/index.js`, path);
    write(`clone/${path}/index.js.map`, '');
  }
  change(lock);
  write('clone/package-lock.json', lock);
  copyFileSync(join(ROOT, 'package.json'), join(dir, 'package.json'));
}

test('what is carried is what the lock names, without what only its authors need; binaries are fetched', () => {
  clone();
  assert.deepEqual(script('carry', 'clone'), { status: 0, output: '' });
  assert.deepEqual(readdirSync(join(dir, 'node_modules/yargs')).sort(), ['index.js', 'node_modules', 'package.json']);
  assert.equal(
    readFileSync(join(dir, 'node_modules/yargs/node_modules/string-width/index.js'), 'utf8').slice(13),
    'yargs/node_modules/string-width',
  );
  assert.doesNotMatch(readFileSync(join(dir, 'node_modules/lmdb/package.json'), 'utf8'), /make/);
  const { optionalDependencies = {} } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as {
    optionalDependencies?: Record<string, string>;
  };
  for (const name of ['@lmdb/lmdb-linux-x64', '@koromix/koffi-darwin-arm64']) assert.match(optionalDependencies[name] ?? '', /^\d/);
});

test('a lock that has the binaries of one system alone is refused, and so is another version than its own', () => {
  clone(({ packages }) => delete packages['node_modules/@lmdb/lmdb-linux-arm64']);
  const { status, output } = script('carry', 'clone');
  assert.equal(status, 1);
  assert.match(output, /package-lock\.json has no @lmdb\/lmdb-linux-arm64, which node_modules\/lmdb loads/);
  clone(({ packages }) => {
    (packages['node_modules/yargs'] as { version: string }).version = '1.0.0';
  });
  assert.match(script('carry', 'clone').output, /yargs is not at 1\.0\.0: run `npm ci`/);
});
