/** apt and dpkg, with a root of their own. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { DebianMirror } from '../../package-mirrors/debian.ts';
import { Signer } from '../../package-mirrors/signer.ts';
import type { PackageTool } from '../package-tool.ts';
import { withoutAsRoot } from '../required.ts';

/** What apt and dpkg want to be there. */
const DIRECTORIES = ['etc/apt/apt.conf.d', 'etc/apt/sources.list.d', 'etc/apt/preferences.d', 'etc/apt/auth.conf.d', 'etc/apt/keyrings']
  .concat(['var/lib/apt/lists/partial', 'var/cache/apt/archives/partial', 'var/log/apt', 'var/lib/dpkg/info', 'var/lib/dpkg/updates'])
  .map((dir) => `/${dir}`);

export const apt: PackageTool = {
  name: 'apt',
  repository: 'debian',
  isMissing: withoutAsRoot('apt', 'apt-get', 'dpkg', 'dpkg-deb', 'gpg', 'gpgv', 'xz'),
  mirror: ({ scratch }) => new DebianMirror(scratch('debian'), scratch('built-debs'), Signer.create(scratch('apt-keys'))),
  sandbox: async (trial, meaning) => {
    const sandbox = trial.sandbox(meaning, (dir) => ({ APT_CONFIG: `${dir}/apt.conf`, DEBIAN_FRONTEND: 'noninteractive' }));
    for (const dir of DIRECTORIES) mkdirSync(sandbox.place(dir), { recursive: true });
    writeFileSync(sandbox.place('/var/lib/dpkg/status'), '');
    const settings = [
      `Dir "${sandbox.root}";`,
      `Dir::State::status "${sandbox.root}/var/lib/dpkg/status";`,
      `DPkg::Options { "--root=${sandbox.root}"; };`,
      // Otherwise it becomes a user who may not read the scratch directory.
      'APT::Sandbox::User "root";',
      'APT::Architecture "amd64";',
      'Acquire::Languages "none";',
      'Acquire::Retries "0";',
    ];
    writeFileSync(`${sandbox.dir}/apt.conf`, `${settings.join('\n')}\n`);
    copyFileSync(`${trial.scratch('apt-keys')}/mirror.gpg`, sandbox.place('/etc/apt/keyrings/mirror.gpg'));
    return sandbox;
  },
  installed: async (sandbox) => sandbox.read('/usr/share/hello/text').trim(),
  halves: { index: 'apt-get update', packages: 'apt-get install --yes hello' },
  again: 'apt-get update && apt-get install --yes hello',
  // Both are of one version, or two lines come out.
  often: `apt-get update --error-on=any && apt-get download hello hello-data
ls *.deb | sed -E 's/^hello(-data)?_(.*)_all.deb$/hello \\2/' | sort -u && rm *.deb`,
  rounds: 50,
};
