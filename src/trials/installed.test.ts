/**
 * The program as users get it: the package, installed by npm, and the one for Debian, installed by dpkg. Both are made here, or they are
 * those of the release in the directory `SHARDCTL_RELEASE`.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onlyInAll } from '../testing/depth.ts';
import { inOverlayRoot, withoutOverlayRoot } from '../testing/overlay-root.ts';
import { without } from '../testing/package-tools/required.ts';
import { fixture } from '../testing/program.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const RELEASE = process.env.SHARDCTL_RELEASE;
const SOURCE_DATE = RELEASE === undefined ? 1_700_000_000 : timeOfCommit();
const UNITS = join(ROOT, 'docs/systemd');

interface Locked {
  readonly version: string;
  readonly dev?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

function timeOfCommit(): number {
  return Number(spawnSync('git', ['-C', ROOT, 'log', '-1', '--format=%ct'], { encoding: 'utf8' }).stdout);
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

describe('what users install', { skip: onlyInAll(without('npm', 'npm', 'sha256sum')) }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'shardctl-installed-'));
  chmodSync(scratch, 0o755); // the user of the Debian package reads a mirror in it
  // Some 20,000 files are made: in memory, where that is allowed.
  const inMemory = process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', scratch]).status === 0;
  after(() => {
    if (inMemory) spawnSync('umount', ['-l', scratch]);
    rmSync(scratch, { recursive: true, force: true });
  });
  const installed = join(scratch, 'global/lib/node_modules/shardctl');
  let saidByNpm = '';
  before(() => {
    if (RELEASE === undefined) run(join(ROOT, 'scripts/pack'), '.');
    else cpSync(RELEASE, scratch, { recursive: true });
    saidByNpm = run('npm', 'install', '--global', '--prefix', 'global', made(/^shardctl-.*\.tgz$/)).stderr;
    // Of what npm has installed already: it takes as long a second time.
    if (RELEASE === undefined && !without('dpkg-dev', 'dpkg-deb')) run(join(ROOT, 'scripts/make-deb'), '.', installed);
  });
  const made = (name: RegExp) => join(scratch, readdirSync(scratch).find((file) => name.test(file)) ?? assert.fail(`${name}`));

  function run(command: string, ...args: string[]): { stdout: string; stderr: string } {
    // As in a shell of its own: `npm test` tells its children of its own settings.
    const outer = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
    // Compressing as for a release takes as long as all the rest.
    const more = { SOURCE_DATE_EPOCH: `${SOURCE_DATE}`, TZ: 'UTC', TMPDIR: scratch, DPKG_DEB_COMPRESSOR_LEVEL: '1' };
    const env = { ...Object.fromEntries(outer), ...more };
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: scratch, env, encoding: 'utf8' });
    assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
    return { stdout, stderr };
  }

  test('what a release has beside them: their sums, and what has changed', {
    skip: RELEASE === undefined && 'SHARDCTL_RELEASE is not set',
  }, () => {
    const { stdout } = run('sha256sum', '--check', 'SHA256SUMS');
    for (const name of [/\.tgz$/, /\.deb$/]) assert.ok(stdout.includes(`${basename(made(name))}: OK\n`), stdout);
    assert.match(readFileSync(join(scratch, 'NOTES.md'), 'utf8'), /^### /m);
  });

  describe('by npm', () => {
    test('npm says no word of warning', () => {
      assert.equal(saidByNpm, '');
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
      run(join(ROOT, 'scripts/load-binaries'), installed);
    });
  });

  describe('on Debian', { skip: without('dpkg-dev', 'dpkg-deb') }, () => {
    test('nothing in it is newer than SOURCE_DATE_EPOCH, nor of another owner than root: made again, it is the same', () => {
      const lines = run('dpkg-deb', '--contents', made(/\.deb$/))
        .stdout.split('\n')
        .slice(0, -1);
      assert.ok(lines.length > 1000);
      for (const line of lines) {
        const [, day = '', time = ''] = /^\S+ root\/root +\d+ (\S+) (\S+) /.exec(line) ?? assert.fail(line);
        assert.ok(Date.parse(`${day}T${time}Z`) <= SOURCE_DATE * 1000, line);
      }
    });

    test('dpkg installs it; its user runs what the timers run; what it leaves is the home', {
      skip: withoutOverlayRoot() || without('systemd', 'systemd-sysusers', 'systemd-tmpfiles'),
    }, () => {
      cpSync(fixture('debian'), join(scratch, 'mirror'), { recursive: true });
      const runs = readdirSync(UNITS)
        .filter((name) => name.endsWith('.timer'))
        .map((name) => name.replace('.timer', '.service'));
      assert.ok(runs.length >= 2);
      const output = inOverlayRoot(
        scratch,
        `PATH=${dirname(process.execPath)}:$PATH
        as_user() { setpriv --reuid shardctl --regid shardctl --init-groups env -i PATH="$PATH" SHARDCTL_HOME=/var/lib/shardctl "$@"; }
        # man-db would read all pages of this machine again, twice.
        rm -f /var/lib/man-db/auto-update
        # Here, Node may have come from elsewhere.
        dpkg --force-depends -i ${scratch}/*.deb >&2
        dpkg --verify shardctl
        stat -c 'home of %U, mode %a' /var/lib/shardctl
        as_user shardctl add ${scratch}/mirror --name debian -q
        for unit in ${runs.join(' ')}; do
          as_user sh -c "$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/$unit | sed 's/%i/debian/g')" && echo "$unit: 0"
        done
        (cd /var/lib/prometheus/node-exporter && ls shardctl-*)
        bash -c '. /usr/share/bash-completion/completions/shardctl && complete -p shardctl'
        zsh -n /usr/share/zsh/vendor-completions/_shardctl 2>&1 || ! command -v zsh
        fish --no-execute /usr/share/fish/vendor_completions.d/shardctl.fish 2>&1 || ! command -v fish
        gzip -dc /usr/share/man/man1/shardctl.1.gz | grep -q '^.TH SHARDCTL 1 '
        dpkg -r shardctl >&2
        ls /etc/default/shardctl
        dpkg -P shardctl >&2
        ls -d /etc/default/shardctl /usr/lib/shardctl /usr/bin/shardctl 2>/dev/null || echo 'nothing but'
        ls -d /var/lib/shardctl`,
      );
      const expected = [
        'home of shardctl, mode 750',
        ...runs.map((name) => `${name}: 0`),
        'shardctl-check.prom',
        'shardctl-debian.prom',
        'complete -.* shardctl',
        '/etc/default/shardctl',
        'nothing but',
        '/var/lib/shardctl',
      ];
      assert.match(output, new RegExp(`^${expected.join('\n')}\n$`));
    });
  });
});
