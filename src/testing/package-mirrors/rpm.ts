/** A repository of RPM packages, which are signed, with signed metadata. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { made, put } from './files.ts';
import type { Signer } from './signer.ts';

export interface RpmOptions {
  /** Packages of versions before stay in the repository. */
  readonly keepOld?: boolean;
}

export class RpmMirror {
  readonly dir: string;
  readonly #signer: Signer;
  readonly #scratch: string;

  constructor(dir: string, scratch: string, signer: Signer) {
    this.dir = dir;
    this.#scratch = scratch;
    this.#signer = signer;
  }

  close(): void {
    this.#signer.close();
  }

  publish(version: string, { keepOld = false }: RpmOptions = {}): void {
    const packages = join(this.dir, 'Packages');
    mkdirSync(packages, { recursive: true });
    const old = readdirSync(packages);
    const name = `hello-${version}-1.noarch.rpm`;
    const built = this.#build(version);
    this.#signer.signRpm(built);
    put(join(packages, name), readFileSync(built));
    if (!keepOld) for (const file of old) rmSync(join(packages, file));
    made('createrepo_c', ['--quiet', '--no-database', this.dir]);
    put(join(this.dir, 'repodata/repomd.xml.asc'), this.#signer.detached(readFileSync(join(this.dir, 'repodata/repomd.xml'))));
  }

  /** @returns where the package lies */
  #build(version: string): string {
    const top = join(this.#scratch, 'rpmbuild');
    const spec = join(top, 'hello.spec');
    put(
      spec,
      [
        `Name: hello\nVersion: ${version}\nRelease: 1\nSummary: A package of a test\nLicense: MIT\nBuildArch: noarch`,
        '%description\nA package of a test.',
        `%install\nmkdir -p %{buildroot}/usr/share/hello\nprintf 'hello ${version}\\n' > %{buildroot}/usr/share/hello/text`,
        '%files\n/usr/share/hello/text\n',
      ].join('\n'),
    );
    made('rpmbuild', [
      '-bb',
      '--quiet',
      '--define',
      `_topdir ${top}`,
      '--define',
      `_rpmdir ${top}`,
      '--define',
      '_build_name_fmt %%{NAME}-%%{VERSION}.rpm',
      spec,
    ]);
    return join(top, `hello-${version}.rpm`);
  }
}
