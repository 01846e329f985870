/** A proxy of Go modules as files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { put } from './files.ts';
import { zip } from './zip.ts';

/** A capital letter is `!` and the small one in paths of the proxy. */
const ESCAPED = (path: string) => path.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);

export class GoMirror {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** `example.org/Example/hello`, which needs `example.org/hello-data` of the same version. Versions before stay. */
  publish(version: string): void {
    this.#module('example.org/hello-data', version, '', `package data\n\nconst Text = "hello ${version}"\n`);
    const needs = `\nrequire example.org/hello-data v${version}\n`;
    this.#module(
      'example.org/Example/hello',
      version,
      needs,
      'package hello\n\nimport data "example.org/hello-data"\n\nconst Text = data.Text\n',
    );
  }

  #module(module: string, version: string, needs: string, code: string): void {
    const at = join(this.dir, ESCAPED(module), '@v');
    const mod = `module ${module}\n\ngo 1.21\n${needs}`;
    const info = JSON.stringify({ Version: `v${version}`, Time: '2026-01-01T00:00:00Z' });
    const root = `${module}@v${version}`;
    put(join(at, `v${version}.mod`), mod);
    put(join(at, `v${version}.info`), info);
    put(join(at, `v${version}.zip`), zip({ [`${root}/go.mod`]: mod, [`${root}/text.go`]: code }));
    put(join(at, '../@latest'), info);
    put(join(at, 'list'), `${this.#listed(join(at, 'list'))}v${version}\n`);
  }

  #listed(list: string): string {
    try {
      return readFileSync(list, 'utf8');
    } catch {
      return '';
    }
  }
}
