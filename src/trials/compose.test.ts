/** What the services of `deploy/compose` do one after the other, on a real Cluster whose members go by the names of the file. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { ClusterLab, withoutCluster } from '../testing/cluster.ts';
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

  test('`peers` may run again and again; `watch` has nothing to do until something is added; then the members hold it', () => {
    program.succeeds(...commandOf('peers'));
    program.succeeds(...commandOf('peers'));
    program.ends(40, ...commandOf('watch'));
    program.succeeds('add', fixture('debian'), '--name', 'mirror', '--replication', '2');
    program.succeeds('verify', '--read-data');
  });
});
