/** The program as users get it: the package that `scripts/pack` makes, installed by npm. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onlyInAll } from '../testing/depth.ts';
import { without } from '../testing/package-tools/required.ts';
import { fixture } from '../testing/program.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface Locked {
  readonly version: string;
  readonly dev?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

describe('the package', { skip: onlyInAll(without('npm', 'npm')) }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'shardctl-installed-'));
  after(() => rmSync(scratch, { recursive: true, force: true }));
  const installed = join(scratch, 'global/lib/node_modules/shardctl');

  function run(command: string, ...args: string[]): { stdout: string; stderr: string } {
    // As in a shell of its own: `npm test` tells its children of its own settings.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: scratch, env, encoding: 'utf8' });
    assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
    return { stdout, stderr };
  }

  test('npm installs it without a word of warning', () => {
    const tarball = run(join(ROOT, 'scripts/pack'), scratch).stdout.trim();
    assert.equal(run('npm', 'install', '--global', '--prefix', 'global', tarball).stderr, '');
  });

  test('each dependency has the version of the lock, and nothing is there that only tests use', () => {
    const { packages } = readJson(join(ROOT, 'package-lock.json')) as { packages: Record<string, Locked> };
    for (const [path, { version, dev, os, cpu }] of Object.entries(packages)) {
      const file = join(installed, path, 'package.json');
      if (path === '') continue;
      if (dev) assert.ok(!existsSync(file), path);
      else if (os?.includes(process.platform) !== false && cpu?.includes(process.arch) !== false)
        assert.equal((readJson(file) as Locked).version, version, path);
    }
  });

  test('it works there, with the binaries that npm has fetched', () => {
    const shardctl = join(scratch, 'global/bin/shardctl');
    run(shardctl, 'add', fixture('debian'), '--home', 'home');
    assert.match(run(shardctl, 'ls', 'debian', '--home', 'home').stdout, /^dists\/?$/m);
    run(process.execPath, '-e', `require(${JSON.stringify(join(installed, 'node_modules/koffi'))})`);
  });
});
