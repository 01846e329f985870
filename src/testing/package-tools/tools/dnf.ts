/** dnf, with a root of its own. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { RpmMirror } from '../../package-mirrors/rpm.ts';
import { Signer } from '../../package-mirrors/signer.ts';
import type { PackageTool } from '../package-tool.ts';
import { withoutAsRoot } from '../required.ts';

export const dnf: PackageTool = {
  name: 'dnf',
  repository: 'rpm',
  isMissing: withoutAsRoot('dnf', 'dnf', 'rpmbuild', 'rpmsign', 'createrepo_c', 'gpg'),
  mirror: ({ scratch }) => new RpmMirror(scratch('rpm'), scratch('built-rpms'), Signer.create(scratch('dnf-keys'))),
  sandbox: async (trial, meaning) => {
    const sandbox = trial.sandbox(meaning);
    for (const dir of ['/etc/pki/rpm-gpg', '/etc/yum.repos.d']) mkdirSync(sandbox.place(dir), { recursive: true });
    copyFileSync(`${trial.scratch('dnf-keys')}/mirror.asc`, sandbox.place('/etc/pki/rpm-gpg/mirror.asc'));
    sandbox.write('/etc/dnf/dnf.conf', '[main]\nplugins=0\n');
    sandbox.alias('dnf', '/usr/bin/dnf', '--installroot', sandbox.root, '--releasever', '1');
    return sandbox;
  },
  installed: async (sandbox) => sandbox.read('/usr/share/hello/text').trim(),
  halves: { index: 'dnf makecache --assumeyes', packages: 'dnf install --assumeyes hello' },
  again: 'dnf install --assumeyes hello && dnf upgrade --assumeyes --refresh hello',
  rounds: 4,
};
