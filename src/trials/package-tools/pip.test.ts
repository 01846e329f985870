/** Real pip installs from a mirror that `serve` gives, while updates are committed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { PythonMirror } from '../../testing/package-mirrors/python.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { blocksOf } from '../../testing/package-tools/page.ts';
import { missing } from '../../testing/package-tools/required.ts';
import type { Sandbox } from '../../testing/package-tools/sandbox.ts';

const ROUNDS = 5;

/** `python3` may be a script that looks for the real one below its home. */
const PYTHON = pythonWithPip();

function pythonWithPip(): string | undefined {
  for (const python of ['python3', '/usr/bin/python3']) {
    const { status, stdout } = spawnSync(python, ['-c', 'import pip, venv, sys; print(sys.executable)'], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

describe('pip', { skip: onlyInAll(missing('pip', PYTHON === undefined ? 'Python with pip and venv' : undefined)) }, () => {
  let trial: PackageTrial;
  let mirror: PythonMirror;
  let first: string;
  before(async () => {
    trial = await PackageTrial.open();
    mirror = new PythonMirror(trial.scratch('pypi'));
    mirror.publish('1.0.0');
    trial.add(mirror, 'pypi');
    first = await trial.dateOf('pypi');
    await trial.serve();
  });
  after(() => trial.close());

  /** A virtual environment without packages. */
  async function environment(meaning: Readonly<Record<string, string>> = {}): Promise<Sandbox> {
    const sandbox = trial.sandbox(meaning, { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_ROOT_USER_ACTION: 'ignore' });
    await sandbox.sh(`${PYTHON} -m venv --without-pip venv`);
    sandbox.alias('pip', PYTHON as string, '-m', 'pip', '--python', sandbox.place('venv/bin/python'));
    sandbox.alias('python', sandbox.place('venv/bin/python'));
    return sandbox;
  }

  const installed = (sandbox: Sandbox) => sandbox.sh('python -c "import hello; print(hello.TEXT)"');

  test('it installs the newest version, and at a date what was the newest then', async () => {
    const sandbox = await environment({ '20261125T120000Z': first });
    await trial.commit(mirror, 'pypi', '2.0.0');
    await sandbox.follow(blocksOf('pip'));
    assert.equal(await installed(sandbox), 'hello 2.0.0\n');
    await sandbox.follow(blocksOf('pip', 'pip at a date'));
    assert.equal(await installed(sandbox), 'hello 1.0.0\n');
  });

  test(`${ROUNDS} installations, beside updates of the mirror: nothing mismatches`, async () => {
    const sandbox = await environment();
    await sandbox.follow(blocksOf('pip').slice(0, 1));
    const versions = await trial.besideCommits(mirror, 'pypi', ROUNDS, async () => {
      await sandbox.sh('pip install --no-cache-dir --upgrade hello');
      return await installed(sandbox);
    });
    assert.ok(versions.size > 1, [...versions].join(', '));
  });
});
