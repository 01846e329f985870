/** `scripts/release`, in a copy whose files are quickly made, and the workflows that build, test and publish elsewhere. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { missing, without } from '../testing/package-tools/required.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Stands for `scripts/release-files`, which takes long. */
const FILES_OF_RELEASE = '#!/bin/sh\necho "sum of $(git describe), asked for $2" >"$1/SHA256SUMS"\n';

/** A repository of its own with what a release changes. */
class Copy {
  readonly dir = mkdtempSync(join(tmpdir(), 'shardctl-release-'));
  readonly root = join(this.dir, 'root');

  constructor() {
    mkdirSync(this.root);
    for (const path of ['CHANGELOG.md', 'deploy/kubernetes', 'scripts/release'])
      cpSync(join(ROOT, path), this.path(path), { recursive: true });
    // Without dependencies, so that nothing is fetched.
    writeFileSync(this.path('package.json'), '{ "name": "shardctl", "version": "0.1.0" }\n');
    const packages = { '': { name: 'shardctl', version: '0.1.0' } };
    writeFileSync(this.path('package-lock.json'), JSON.stringify({ name: 'shardctl', version: '0.1.0', lockfileVersion: 3, packages }));
    writeFileSync(this.path('scripts/release-files'), FILES_OF_RELEASE, { mode: 0o755 });
    this.git('init', '--quiet', '--initial-branch=main');
    this.git('config', 'user.name', 'Somebody');
    this.git('config', 'user.email', 'somebody@example.org');
    this.commit();
  }

  path(path: string): string {
    return join(this.root, path);
  }

  git(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('git', args, { cwd: this.root, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.trim();
  }

  commit(): void {
    this.git('add', '--all');
    this.git('commit', '--quiet', '--message', 'a change');
  }

  release(...args: string[]): { status: number | null; output: string } {
    const { status, stdout, stderr } = spawnSync(this.path('scripts/release'), args, { cwd: this.dir, encoding: 'utf8' });
    return { status, output: `${stdout}${stderr}` };
  }

  /** What may not change in a dry run. */
  get state(): string {
    return this.git('rev-parse', 'HEAD') + this.git('tag') + this.git('status', '--porcelain');
  }

  dispose(): void {
    rmSync(this.dir, { recursive: true });
  }
}

describe('scripts/release', { skip: process.platform === 'linux' ? without('npm', 'npm', 'git') : missing('npm', 'GNU sed') }, () => {
  test('a dry run makes the files of the new version, and leaves the clone as it is', () => {
    const copy = new Copy();
    try {
      const before = copy.state;
      const { status, output } = copy.release('0.2.0', 'files');
      assert.equal(status, 0, output);
      assert.equal(readFileSync(join(copy.dir, 'files/SHA256SUMS'), 'utf8'), 'sum of v0.2.0, asked for v0.2.0\n');
      assert.equal(copy.state, before);
    } finally {
      copy.dispose();
    }
  });

  test('--commit takes version, date and image into a commit with a tag; the same version is refused then', () => {
    const copy = new Copy();
    try {
      const { status, output } = copy.release('0.2.0-rc.1', 'files', '--commit');
      assert.equal(status, 0, output);
      assert.equal(copy.git('describe'), 'v0.2.0-rc.1');
      assert.equal(copy.git('status', '--porcelain'), '');
      for (const file of ['package.json', 'package-lock.json'])
        assert.equal((JSON.parse(readFileSync(copy.path(file), 'utf8')) as { version: string }).version, '0.2.0-rc.1', file);
      assert.match(readFileSync(copy.path('CHANGELOG.md'), 'utf8'), /^## 0\.2\.0-rc\.1 \(\d{4}-\d\d-\d\d\)$/m);
      for (const file of ['serve.yaml', 'once/add.yaml'])
        assert.match(readFileSync(copy.path(`deploy/kubernetes/${file}`), 'utf8'), /image: shardctl:0\.2\.0-rc\.1$/m, file);
      assert.match(copy.release('0.2.0-rc.1', 'files').output, /v0\.2\.0-rc\.1 was released already/);
      assert.match(copy.release('0.2.0', 'files').output, /no heading/);
    } finally {
      copy.dispose();
    }
  });

  test('a tree with changes is refused, and so is what is no version', () => {
    const copy = new Copy();
    try {
      assert.deepEqual(
        [copy.release('2', 'files').status, copy.release('0.2.0').status, copy.release('0.2.0', 'files', '-n').status],
        [2, 2, 2],
      );
      writeFileSync(copy.path('new'), '');
      const { status, output } = copy.release('0.2.0', 'files');
      assert.equal(status, 2);
      assert.match(output, /not committed/);
      assert.ok(!existsSync(join(copy.dir, 'files')));
    } finally {
      copy.dispose();
    }
  });
});

describe('scripts/release-files', { skip: without('npm', 'sha256sum') }, () => {
  const copy = new Copy();
  const to = join(copy.dir, 'files');
  before(() => {
    cpSync(join(ROOT, 'scripts/release-files'), copy.path('scripts/release-files'));
    for (const [script, file] of Object.entries({ pack: 'shardctl-0.1.0.tgz', 'make-deb': 'shardctl_0.1.0_amd64.deb' }))
      writeFileSync(copy.path(`scripts/${script}`), `#!/bin/sh\necho ${script} >"$1/${file}"\necho "$PWD/${file}"\n`, { mode: 0o755 });
    writeFileSync(copy.path('CHANGELOG.md'), '# Changelog\n\n## 0.1.0 (2026-01-01)\n\n### Added\n\n## 0.0.9 (2025-01-01)\n\nold\n');
  });
  after(() => copy.dispose());

  function make(...args: string[]): { status: number | null; stderr: string } {
    rmSync(to, { recursive: true, force: true });
    const { status, stderr } = spawnSync(copy.path('scripts/release-files'), [to, ...args], { encoding: 'utf8' });
    return { status, stderr };
  }

  test('what it makes has sums, and notes of this version alone', () => {
    assert.deepEqual(make('v0.1.0'), { status: 0, stderr: '' });
    assert.equal(readFileSync(join(to, 'NOTES.md'), 'utf8'), '\n### Added\n\n');
    const { status, stdout } = spawnSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: to, encoding: 'utf8' });
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^shardctl-0\.1\.0\.tgz: OK$/m);
  });

  test('a tag of another version is refused before anything is made, and so is a version that CHANGELOG.md does not begin with', () => {
    const other = make('v0.1.1');
    assert.equal(other.status, 2);
    assert.match(other.stderr, /the tag is v0\.1\.1, and package\.json has 0\.1\.0/);
    assert.ok(!existsSync(to));
    writeFileSync(copy.path('CHANGELOG.md'), '## 0.1.0 (unreleased)\n');
    assert.match(make('v0.1.0').stderr, /begins with "0\.1\.0 \(unreleased\)"/);
    assert.equal(make().status, 0);
  });
});

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Job {
  readonly 'runs-on': string;
  readonly 'timeout-minutes': number;
  readonly strategy?: { readonly matrix: { readonly node: readonly number[] } };
  readonly steps: readonly Step[];
}

for (const name of readdirSync(join(ROOT, '.github/workflows'))) {
  describe(`.github/workflows/${name}`, () => {
    const workflow = parse(readFileSync(join(ROOT, '.github/workflows', name), 'utf8')) as {
      on: object;
      permissions: object;
      jobs: Record<string, Job>;
    };
    const jobs = Object.values(workflow.jobs);
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

    test('each job says where it runs, how long at most, and what it may', () => {
      assert.ok(Object.keys(workflow.on).length > 0 && Object.keys(workflow.permissions).length > 0);
      for (const job of jobs) assert.ok(job['runs-on'] !== '' && job['timeout-minutes'] > 0);
    });

    test('what each step runs is there', () => {
      for (const { uses, run } of jobs.flatMap(({ steps }) => steps)) {
        assert.notEqual(uses === undefined, run === undefined);
        if (run === undefined) assert.match(uses ?? '', /^actions\/[a-z-]+@v\d+$/);
        const [program = '', ...args] = run?.split(' ') ?? [];
        if (program.includes('/')) accessSync(join(ROOT, program), constants.X_OK);
        else assert.match(program, /^(npm|gh|sudo|)$/);
        for (const script of run?.match(/(?<= )scripts\/[a-z-]+/g) ?? []) accessSync(join(ROOT, script), constants.X_OK);
        if (program === 'npm' && args[0] === 'run') assert.ok((args[1] ?? '') in scripts, run);
      }
    });
  });
}

test('the workflow of every change has all of .ci/run on the oldest Node that is supported, and the others beside it', () => {
  const { jobs } = parse(readFileSync(join(ROOT, '.github/workflows/ci.yml'), 'utf8')) as { jobs: Record<string, Job> };
  const steps = jobs.everything?.steps ?? [];
  assert.ok(steps.some(({ run }) => run === '.ci/run'));
  assert.ok(steps.some((step) => step.with?.['node-version'] === 20));
  assert.deepEqual(jobs.unit?.strategy?.matrix.node, [20, 22, 24]);
});

test('what a release uploads was made for its tag, and was installed and tried before', () => {
  const { jobs } = parse(readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8')) as { jobs: Record<string, Job> };
  const steps = jobs.release?.steps ?? [];
  const at = (pattern: RegExp) => steps.findIndex(({ run }) => pattern.test(run ?? ''));
  const [made, tried, uploaded] = [
    /^scripts\/release-files release "\$GITHUB_REF_NAME"$/,
    /trials\/installed\.test\.js$/,
    /^gh release create /,
  ].map(at);
  assert.ok(made !== undefined && tried !== undefined && uploaded !== undefined && 0 <= made && made < tried && tried < uploaded);
  assert.equal(uploaded, steps.length - 1);
  assert.match(steps[tried]?.env?.SHARDCTL_RELEASE ?? '', /\/release$/);
  for (const tool of ['npm', 'dpkg-dev', 'overlay']) assert.ok(steps[tried]?.env?.SHARDCTL_TEST_REQUIRE?.split(',').includes(tool), tool);
});
