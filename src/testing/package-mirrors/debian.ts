/** A Debian archive as mirrors have it: signed, with `by-hash`, its suite also by a symlink. */
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, digestOfFile, made, put } from './files.ts';
import type { Signer } from './signer.ts';

/**
 * Two packages that go together: `hello` needs `hello-data` of the very same version, so that whoever sees half of an update
 * cannot install it. Each version takes the place of the one before, also in `pool` and `by-hash`: an update that is rude to
 * those who have read the old index. Unless the mirror is polite: then all that an old index names stays.
 */
export class DebianMirror {
  readonly dir: string;
  readonly #signer: Signer;
  readonly #scratch: string;
  readonly #isPolite: boolean;
  #pool: string[] = [];

  /** @param scratch a directory beside the mirror */
  constructor(dir: string, scratch: string, signer: Signer, isPolite = false) {
    this.dir = dir;
    this.#isPolite = isPolite;
    this.#scratch = scratch;
    this.#signer = signer;
    mkdirSync(join(dir, 'dists'), { recursive: true });
    symlinkSync('bookworm', join(dir, 'dists', 'stable'));
  }

  close(): void {
    this.#signer.close();
  }

  publish(version: string): void {
    const old = this.#pool;
    this.#pool = [];
    const text = `hello ${version}\n`;
    const stanzas = [
      this.#package('hello-data', version, '', { 'usr/share/hello/text': text }),
      this.#package('hello', version, `Depends: hello-data (= ${version})\n`, {
        'usr/bin/hello': '#!/bin/sh\ncat /usr/share/hello/text\n',
      }),
    ];
    this.#writeIndexes(stanzas.join('\n'), version);
    if (!this.#isPolite) for (const path of old) rmSync(join(this.dir, path));
  }

  /** @returns what stands of it in `Packages` */
  #package(name: string, version: string, relations: string, files: Readonly<Record<string, string>>): string {
    const root = join(this.#scratch, `${name}_${version}`);
    const control = `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: Test <test@example.org>\n${relations}Description: a package of a test\n`;
    for (const [path, content] of Object.entries({ ...files, 'DEBIAN/control': control })) {
      put(join(root, path), content);
    }
    const path = `pool/main/g/hello/${name}_${version}_all.deb`;
    const deb = join(this.dir, path);
    mkdirSync(join(deb, '..'), { recursive: true });
    made('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', root, deb]);
    rmSync(root, { recursive: true });
    this.#pool.push(path);
    return `${control}Filename: ${path}\nSize: ${statSync(deb).size}\nSHA256: ${digestOfFile('sha256', deb)}\n`;
  }

  #writeIndexes(packages: string, version: string): void {
    const suite = join(this.dir, 'dists', 'bookworm');
    const lines: string[] = [];
    const indexes = { Packages: packages, 'Packages.xz': made('xz', ['--stdout'], { input: packages }) };
    // reprepro reads the indexes of an architecture alone, where those for all are, too, as in Debian's own repository.
    for (const binary of ['binary-all', 'binary-amd64']) {
      const byHash = join(suite, 'main', binary, 'by-hash');
      if (!this.#isPolite) rmSync(byHash, { recursive: true, force: true });
      for (const [name, content] of Object.entries(indexes)) {
        const path = `main/${binary}/${name}`;
        put(join(suite, path), content);
        put(join(byHash, 'SHA256', digestOf('sha256', content)), content);
        lines.push(` ${digestOf('sha256', content)} ${Buffer.byteLength(content)} ${path}`);
      }
    }
    const head = {
      Origin: 'Test',
      Suite: 'stable',
      Codename: 'bookworm',
      Version: version,
      Date: new Date().toUTCString().replace('GMT', 'UTC'),
      Architectures: 'all amd64',
      Components: 'main',
      'Acquire-By-Hash': 'yes',
    };
    const release = [...Object.entries(head).map(([key, value]) => `${key}: ${value}`), 'SHA256:', ...lines, ''].join('\n');
    put(join(suite, 'InRelease'), this.#signer.clearsign(release));
    put(join(suite, 'Release'), release);
    writeFileSync(join(suite, 'Release.gpg'), this.#signer.detached(readFileSync(join(suite, 'Release'))));
  }
}
