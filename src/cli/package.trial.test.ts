/** What is in the package, and what of it may be imported. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
    'dist/program/cli/main.js',
    'dist/program/package.json',
    'README.md',
    'CHANGELOG.md',
    'LICENSE-MIT',
    'LICENSE-APACHE',
  ])
    assert.ok(paths.includes(needed), needed);
  const unwanted = paths.filter((path) => /\.map$|\.test\.|\.ts$|^dist\/(?!program\/)|\/testing\/|\/trials\//.test(path));
  assert.deepEqual(unwanted, []);
});

test('what is compiled anew runs as it was compiled, and the bundle of it once that is made', () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-package-'));
  try {
    cpSync(join(ROOT, 'bin'), join(dir, 'bin'), { recursive: true });
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
    const [bundle, compiled] = ['program', 'src'].map((it) => join(dir, 'dist', it, 'cli/main.js')) as [string, string];
    const make = (file: string, name: string) => {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `export const main = () => console.log('${name}');`);
    };
    make(bundle, 'bundle');
    make(compiled, 'compiled');
    const ran = () => spawnSync(process.execPath, [join(dir, 'bin/shardctl.js')], { encoding: 'utf8' }).stdout.trim();
    utimesSync(bundle, 1000, 1000);
    utimesSync(compiled, 1001, 1001);
    assert.equal(ran(), 'compiled');
    utimesSync(bundle, 1001, 1001);
    assert.equal(ran(), 'bundle', 'packages have one time for all files');
    rmSync(compiled);
    assert.equal(ran(), 'bundle', 'and nothing but the bundle');
    rmSync(bundle);
    make(compiled, 'compiled');
    assert.equal(ran(), 'compiled');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a thread that is started by a file beside its starter is in the bundle', () => {
  const started = readdirSync(join(ROOT, 'dist/src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js') && !/^(testing|trials)\/|\.test\.js$/.test(file))
    .flatMap((file) =>
      [...readFileSync(join(ROOT, 'dist/src', file), 'utf8').matchAll(/new Worker\(new URL\('\.\/([^']+)'/g)].map(
        (match) => match[1] as string,
      ),
    );
  assert.ok(started.length >= 4);
  for (const name of started) assert.ok(existsSync(join(ROOT, 'dist/program/cli', name)), name);
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
  // From the root: dist/program has a scope of its own, in which the package does not know its name.
  const { resolve } = createRequire(`${ROOT}any.js`);
  assert.ok(existsSync(resolve('shardctl/package.json')));
  for (const inside of ['shardctl', 'shardctl/dist/program/cli/main.js', 'shardctl/bin/shardctl.js'])
    assert.throws(() => resolve(inside), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' }, inside);
});
