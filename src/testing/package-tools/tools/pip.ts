/** pip, with a virtual environment and a home of its own. */
import { spawnSync } from 'node:child_process';
import { PythonMirror } from '../../package-mirrors/python.ts';
import type { PackageTool } from '../package-tool.ts';
import { missing } from '../required.ts';

/** Whole paths: `python3` itself may be a script that looks for the real one below its home. */
const PYTHON = pythonWithPip();

function pythonWithPip(): string | undefined {
  for (const python of ['python3', '/usr/bin/python3']) {
    const { status, stdout } = spawnSync(python, ['-c', 'import pip, venv, sys; print(sys.executable)'], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

export const pip: PackageTool = {
  name: 'pip',
  repository: 'pypi',
  isMissing: missing('pip', PYTHON === undefined ? 'Python with pip and venv' : undefined),
  mirror: ({ scratch }) => new PythonMirror(scratch('pypi')),
  sandbox: async (trial, meaning) => {
    const env = { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_ROOT_USER_ACTION: 'ignore', PIP_NO_INPUT: '1', PIP_RETRIES: '0' };
    const sandbox = trial.sandbox(meaning, () => env);
    await sandbox.sh(`${PYTHON} -m venv --without-pip venv`);
    sandbox.alias('pip', PYTHON as string, '-m', 'pip', '--python', sandbox.place('venv/bin/python'));
    sandbox.alias('python', sandbox.place('venv/bin/python'));
    return sandbox;
  },
  installed: async (sandbox) => (await sandbox.sh('python -c "import hello; print(hello.TEXT)"')).trim(),
  again: 'pip install --no-cache-dir --upgrade hello',
  rounds: 3,
};
