/** Real Maven resolves artifacts of a mirror that `serve` gives, while updates are committed. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { localJar, MavenMirror } from '../../testing/package-mirrors/maven.ts';
import { PackageTrial } from '../../testing/package-tools/package-trial.ts';
import { blocksOf } from '../../testing/package-tools/page.ts';
import { without } from '../../testing/package-tools/required.ts';
import type { Sandbox } from '../../testing/package-tools/sandbox.ts';

describe('mvn', { skip: onlyInAll(without('mvn', 'mvn', 'java')) }, () => {
  let trial: PackageTrial;
  let mirror: MavenMirror;
  let first: string;
  before(async () => {
    trial = await PackageTrial.open();
    mirror = new MavenMirror(trial.scratch('maven'));
    mirror.publish('1.0.0');
    trial.add(mirror, 'maven');
    first = await trial.dateOf('maven');
    await trial.serve();
  });
  after(() => trial.close());

  /**
   * A project that needs no plugin, all of which would come from Maven Central: its parent is of the newest version, so that
   * `maven-metadata.xml` is read, and an extension of the build is resolved as dependencies are, with what it needs itself.
   */
  function project(meaning: Readonly<Record<string, string>> = {}): Sandbox {
    const sandbox = trial.sandbox(meaning);
    sandbox.alias('mvn', 'env', `MAVEN_OPTS=-Duser.home=${sandbox.home}`, '/usr/bin/mvn', '--batch-mode', '--strict-checksums');
    const of = (name: string) => `<groupId>org.example</groupId><artifactId>${name}</artifactId><version>[1.0.0,9.0.0)</version>`;
    sandbox.write(
      'pom.xml',
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><parent>${of('hello-parent')}</parent>
<groupId>org.example</groupId><artifactId>app</artifactId><version>1</version><packaging>pom</packaging>
<build><extensions><extension>${of('hello')}</extension></extensions></build></project>\n`,
    );
    return sandbox;
  }

  function resolved(sandbox: Sandbox, version: string): string {
    const [, text = ''] =
      /(hello [\d.]+)\n/.exec(localJar(sandbox.place('~/.m2/repository'), 'hello-data', version).toString('latin1')) ?? [];
    return text;
  }

  test('it resolves the newest version, and at a date what was the newest then', async () => {
    const sandbox = project({ '20261125T120000Z': first });
    await trial.commit(mirror, 'maven', '2.0.0');
    await sandbox.follow(blocksOf('mvn'));
    assert.equal(resolved(sandbox, '2.0.0'), 'hello 2.0.0');
    rmSync(sandbox.place('~/.m2'), { recursive: true });
    await sandbox.follow(blocksOf('mvn', 'mvn at a date'));
    assert.equal(resolved(sandbox, '1.0.0'), 'hello 1.0.0');
  });
});
