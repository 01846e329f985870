/** What is in the package, and what of it may be imported. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

test('the package holds the program and its documents: no tests, nothing that only tests use, and no source maps', () => {
  // Without scripts: `prepare` would take away what the tests run from.
  const { stdout, stderr } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, encoding: 'utf8' });
  const [packed] = JSON.parse(stdout) as { files: { path: string }[] }[];
  assert.ok(packed !== undefined, stderr);
  const paths = packed.files.map(({ path }) => path);
  for (const needed of [
    'bin/shardctl.js',
    'dist/src/cli/main.js',
    'dist/src/package.json',
    'README.md',
    'CHANGELOG.md',
    'LICENSE-MIT',
    'LICENSE-APACHE',
  ])
    assert.ok(paths.includes(needed), needed);
  const unwanted = paths.filter((path) => /\.map$|\.test\.|\.ts$|^dist\/(?!src\/)|\/testing\/|\/trials\//.test(path));
  assert.deepEqual(unwanted, []);
  const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: Record<string, string> };
  assert.match(scripts.prepare ?? '', /--sourceMap false/, 'what is packed names no maps either');
});

interface Lock {
  readonly packages: Readonly<Record<string, { engines?: { node?: string }; hasInstallScript?: boolean }>>;
}

test('every package of the lock runs on the oldest Node that is supported, and none runs a script when it is installed', () => {
  const { engines, allowScripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
    engines: { node: string };
    allowScripts: Record<string, boolean>;
  };
  const { packages } = JSON.parse(readFileSync(`${ROOT}package-lock.json`, 'utf8')) as Lock;
  const { minVersion, satisfies } = createRequire(import.meta.url)('semver') as {
    minVersion(range: string): { version: string };
    satisfies(version: string, range: string): boolean;
  };
  const oldest = minVersion(engines.node).version;
  for (const [path, { engines: wanted, hasInstallScript = false }] of Object.entries(packages)) {
    assert.ok(satisfies(oldest, wanted?.node ?? '*'), `${path} wants Node ${wanted?.node}`);
    if (hasInstallScript) assert.equal(allowScripts[path.replace(/^.*node_modules\//, '')], false, `${path} has an install script`);
  }
});

test('nothing but package.json may be imported: what is inside may change with every version', () => {
  // From the root: dist/src has a scope of its own, in which the package does not know its name.
  const { resolve } = createRequire(`${ROOT}any.js`);
  assert.ok(existsSync(resolve('shardctl/package.json')));
  for (const inside of ['shardctl', 'shardctl/dist/src/cli/main.js', 'shardctl/bin/shardctl.js'])
    assert.throws(() => resolve(inside), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' }, inside);
});
