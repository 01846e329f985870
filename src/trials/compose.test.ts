/** What the services of `deploy/compose` do one after the other, on a real Cluster whose members go by the names of the file. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { BINARIES, ClusterLab, withoutCluster } from '../testing/cluster.ts';
import { onlyInAll } from '../testing/depth.ts';
import { fixture, Program } from '../testing/program.ts';

const FILE = fileURLToPath(new URL('../../../deploy/compose/compose.yaml', import.meta.url));

describe('deploy/compose', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  const program = new Program();
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => {
    lab.stop();
    program.dispose();
  });

  /** The words of a service's command, which name what is here. */
  function commandOf(service: string): string[] {
    const { services } = parse(readFileSync(FILE, 'utf8'), { merge: true }) as { services: Record<string, { command: string[] }> };
    return (services[service]?.command ?? assert.fail(service)).map((word) =>
      lab.peers.reduce(
        (meant, { name, kubo, cluster }, i) =>
          meant.replaceAll(`http://cluster${i}:9094`, cluster).replaceAll(`http://kubo${i}:5001`, kubo).replaceAll(`cluster${i}`, name),
        word,
      ),
    );
  }

  test('a member is healthy when it has found the others', async () => {
    const { services } = parse(readFileSync(FILE, 'utf8'), { merge: true }) as {
      services: Record<string, { healthcheck: { test: string } }>;
    };
    const { hostname, port } = new URL(lab.peers[0].cluster);
    const bin = join(program.dir, 'bin');
    mkdirSync(bin);
    // Where the container has it, it asks the member beside it.
    const asking = `exec ${join(BINARIES, 'ipfs-cluster-ctl')} --host /ip4/${hostname}/tcp/${port} "$@"`;
    writeFileSync(join(bin, 'ipfs-cluster-ctl'), `#!/bin/sh\n${asking}\n`, { mode: 0o755 });
    const check = (services.cluster0?.healthcheck.test ?? assert.fail()).replaceAll('$$', '$');
    const codeOf = (command: string) => spawnSync('sh', ['-c', command], { env: { PATH: `${bin}:${process.env.PATH}` } }).status;
    // As in the file: asked again and again for two minutes.
    for (const end = Date.now() + 120_000; codeOf(check) !== 0 && Date.now() < end; ) await sleep(1000);
    assert.equal(codeOf(check), 0);
    assert.equal(codeOf(check.replace(/= 3$/, '= 2')), 1);
  });

  test('`peers` may run again and again; `watch` has nothing to do until something is added; then the members hold it', () => {
    program.succeeds(...commandOf('peers'));
    program.succeeds(...commandOf('peers'));
    program.ends(40, ...commandOf('watch'));
    program.succeeds(...commandOf('add').map((word) => (word === '/srv/mirror' ? fixture('debian') : word)));
    program.succeeds('verify', '--read-data');
  });
});
