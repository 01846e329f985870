/** An index of Python packages as PEP 503 has it: a page for each project, which names its wheels with their hashes. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, digestOfFile, put } from './files.ts';
import { zip } from './zip.ts';

export class PythonMirror {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** `hello`, which needs `hello-data` of the same version. Versions before stay. */
  publish(version: string): void {
    this.project('hello-data', version, [], `TEXT = 'hello ${version}'\n`);
    this.project('hello', version, [`hello-data==${version}`], 'from hello_data import TEXT\n');
    this.list(['hello', 'hello-data']);
  }

  /** The page that names all projects. */
  list(names: readonly string[]): void {
    put(join(this.dir, 'simple/index.html'), page(names.map((name) => [`${name}/`, name])));
  }

  /** One version of one project, beside those that are there. */
  project(name: string, version: string, needs: readonly string[], code: string): void {
    const module = name.replaceAll('-', '_');
    const info = `${module}-${version}.dist-info`;
    const files: Record<string, string> = {
      [`${module}.py`]: code,
      [`${info}/METADATA`]: [
        'Metadata-Version: 2.1',
        `Name: ${name}`,
        `Version: ${version}`,
        ...needs.map((need) => `Requires-Dist: ${need}`),
        '',
      ].join('\n'),
      [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    };
    const record = Object.entries(files).map(
      ([path, text]) =>
        `${path},sha256=${digestOf('sha256', text, 'base64').replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')},${text.length}`,
    );
    files[`${info}/RECORD`] = `${record.join('\n')}\n${info}/RECORD,,\n`;
    const wheels = join(this.dir, 'packages', name);
    put(join(wheels, `${module}-${version}-py3-none-any.whl`), zip(files));
    this.page(name);
  }

  /** The page of a project, by the wheels that are there. */
  page(name: string): void {
    const wheels = join(this.dir, 'packages', name);
    const links = readdirSync(wheels).map((wheel): [string, string] => [
      `../../packages/${name}/${wheel}#sha256=${digestOfFile('sha256', join(wheels, wheel))}`,
      wheel,
    ]);
    put(join(this.dir, 'simple', name, 'index.html'), page(links));
  }
}

function page(links: readonly (readonly [string, string])[]): string {
  const list = links.map(([href, text]) => `<a href="${href}">${text}</a><br>`).join('\n');
  return `<!DOCTYPE html>\n<html><head><meta name="pypi:repository-version" content="1.0"></head><body>\n${list}\n</body></html>\n`;
}
