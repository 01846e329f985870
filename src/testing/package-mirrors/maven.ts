/** A Maven repository, with the checksums that Maven asks for beside each file. */
import { join } from 'node:path';
import { digestOf, put } from './files.ts';
import { zip } from './zip.ts';

const GROUP = 'org.example';

export class MavenMirror {
  readonly dir: string;
  readonly #versions: string[] = [];

  constructor(dir: string) {
    this.dir = dir;
    // Maven adds it to each extension that does not ask for another one, and nothing here calls it.
    this.#artifact('plexus-utils', '1.1', '', { 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\n' }, 'org.codehaus.plexus');
  }

  /** `hello`, which needs `hello-data` of the same version, and `hello-parent`. Versions before stay. */
  publish(version: string): void {
    this.#versions.push(version);
    this.#artifact('hello-parent', version, '<packaging>pom</packaging>');
    this.#artifact('hello-data', version, '', { 'hello.txt': `hello ${version}\n` });
    const needs = `<dependencies><dependency><groupId>${GROUP}</groupId><artifactId>hello-data</artifactId><version>${version}</version></dependency></dependencies>`;
    this.#artifact('hello', version, needs, { 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\n' });
  }

  #artifact(name: string, version: string, more: string, jar?: Readonly<Record<string, string>>, group = GROUP): void {
    const at = join(this.dir, group.replaceAll('.', '/'), name);
    const coordinates = `<groupId>${group}</groupId><artifactId>${name}</artifactId>`;
    const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>${coordinates}<version>${version}</version>${more}</project>\n`;
    putWithChecksums(join(at, version, `${name}-${version}.pom`), pom);
    if (jar !== undefined) putWithChecksums(join(at, version, `${name}-${version}.jar`), zip(jar));
    const versions = this.#versions.map((each) => `<version>${each}</version>`).join('');
    const versioning = `<latest>${version}</latest><release>${version}</release><versions>${versions}</versions><lastUpdated>20260101000000</lastUpdated>`;
    putWithChecksums(join(at, 'maven-metadata.xml'), `<metadata>${coordinates}<versioning>${versioning}</versioning></metadata>\n`);
  }
}

function putWithChecksums(path: string, content: string | Uint8Array): void {
  put(path, content);
  for (const algorithm of ['sha1', 'md5']) put(`${path}.${algorithm}`, digestOf(algorithm, content));
}
