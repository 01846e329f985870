/** npm, with a home of its own. */
import { NpmMirror } from '../../package-mirrors/npm.ts';
import type { PackageTool } from '../package-tool.ts';
import { without } from '../required.ts';

export const npm: PackageTool = {
  name: 'npm',
  repository: 'npm',
  isMissing: without('npm', 'npm', 'tar'),
  mirror: ({ scratch, url }) => new NpmMirror(scratch('npm'), scratch('built-tarballs'), url),
  sandbox: async (trial, meaning) => {
    const env = { npm_config_update_notifier: 'false', npm_config_fund: 'false', npm_config_fetch_retries: '0' };
    const sandbox = trial.sandbox(meaning, (dir) => ({ ...env, npm_config_globalconfig: `${dir}/root/etc/npmrc` }));
    sandbox.write('package.json', '{ "private": true }');
    return sandbox;
  },
  installed: async (sandbox) => (await sandbox.sh(`node -p "require('@example/hello')"`)).trim(),
  halves: { index: 'npm install --package-lock-only @example/hello', packages: 'npm ci' },
  again: 'rm -rf node_modules package-lock.json ~/.npm && npm install --no-save @example/hello@latest',
  rounds: 3,
};
