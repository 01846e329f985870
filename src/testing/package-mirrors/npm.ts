/** A registry of npm as files: `PACKAGE/index.json` is the packument, `PACKAGE/-/NAME-VERSION.tgz` a tarball. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, made, put } from './files.ts';

export class NpmMirror {
  readonly dir: string;
  /** Where the registry is served: the packuments name the tarballs by their whole URLs. */
  readonly #url: string;
  readonly #scratch: string;

  constructor(dir: string, scratch: string, url: string) {
    this.dir = dir;
    this.#scratch = scratch;
    this.#url = url.replace(/\/$/, '');
  }

  /** `@example/hello`, which needs `hello-data` of the same version. Versions before stay, as in a registry. */
  publish(version: string): void {
    this.package('hello-data', version, {}, `module.exports = 'hello ${version}';\n`);
    this.package('@example/hello', version, { 'hello-data': version }, "module.exports = require('hello-data');\n");
  }

  /** One version of one package, beside those that are there. */
  package(name: string, version: string, dependencies: Readonly<Record<string, string>>, code: string): void {
    const manifest = { name, version, main: 'index.js', license: 'MIT', dependencies };
    const root = join(this.#scratch, 'npm');
    put(join(root, 'package/package.json'), JSON.stringify(manifest));
    put(join(root, 'package/index.js'), code);
    const file = `${name.replace(/^.*\//, '')}-${version}.tgz`;
    const bytes = made('tar', ['--create', '--gzip', '--directory', root, 'package']);
    put(join(this.dir, name, '-', file), bytes);
    const dist = {
      tarball: `${this.#url}/${name}/-/${file}`,
      shasum: digestOf('sha1', bytes),
      integrity: `sha512-${digestOf('sha512', bytes, 'base64')}`,
    };
    const index = join(this.dir, name, 'index.json');
    const versions = { ...this.#versionsIn(index), [version]: { ...manifest, _id: `${name}@${version}`, dist } };
    put(index, JSON.stringify({ _id: name, name, 'dist-tags': { latest: version }, versions }));
  }

  #versionsIn(index: string): Record<string, unknown> {
    try {
      return (JSON.parse(readFileSync(index, 'utf8')) as { versions: Record<string, unknown> }).versions;
    } catch {
      return {};
    }
  }
}
