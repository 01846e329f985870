/** Maven, with a home and a project of its own. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MavenMirror } from '../../package-mirrors/maven.ts';
import type { PackageTool } from '../package-tool.ts';
import { without } from '../required.ts';

/**
 * A project that needs no plugin, all of which would come from Maven Central: its parent is of the newest version, so that
 * `maven-metadata.xml` is read, and an extension of the build is resolved as dependencies are, with what it needs itself.
 */
function pom(): string {
  const of = (name: string) => `<groupId>org.example</groupId><artifactId>${name}</artifactId><version>[1.0.0,9.0.0)</version>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><parent>${of('hello-parent')}</parent>
<groupId>org.example</groupId><artifactId>app</artifactId><version>1</version><packaging>pom</packaging>
<build><extensions><extension>${of('hello')}</extension></extensions></build></project>\n`;
}

export const mvn: PackageTool = {
  name: 'mvn',
  repository: 'maven',
  isMissing: without('mvn', 'mvn', 'java'),
  mirror: ({ scratch }) => new MavenMirror(scratch('maven')),
  sandbox: async (trial, meaning) => {
    // Java takes the home from the list of users.
    const sandbox = trial.sandbox(meaning, (dir) => ({ JAVA_TOOL_OPTIONS: `-Duser.home=${dir}/home` }));
    sandbox.alias('mvn', '/usr/bin/mvn', '--batch-mode', '--strict-checksums');
    sandbox.write('pom.xml', pom());
    return sandbox;
  },
  /** What is in the JAR of the newest version that was downloaded. */
  installed: async (sandbox) => {
    const dir = sandbox.place('~/.m2/repository/org/example/hello-data');
    const version = readdirSync(dir)
      .filter((name) => /^\d/.test(name))
      .sort()
      .at(-1) as string;
    const jar = readFileSync(join(dir, version, `hello-data-${version}.jar`)).toString('latin1');
    return /(hello [\d.]+)\n/.exec(jar)?.[1] ?? '';
  },
  again: 'rm -rf ~/.m2/repository && mvn validate',
  rounds: 2,
};
