/** What docs/cluster.md needs: a lab of three members. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { CERTIFICATES } from '../certificates.ts';
import { BINARIES, type ClusterLab } from '../cluster.ts';
import type { OperatorsWorld } from '../operators-world.ts';
import type { PageHere, Words } from './run-page.ts';

const WEST = `shardctl peers add cluster https://west.example:9094 --name west --federate \\
--replication 2 --gateway https://west.example:8080`;

const WITHOUT_CONFIGURATION = 'stock software, with a configuration that whoever runs the Cluster has to publish';

/** `ipfs` goes to the Kubo of the third member, `ipfs-cluster-ctl` to the first member. */
function putPrograms(world: OperatorsWorld, { peers: [{ cluster }, , { kubo }] }: ClusterLab): void {
  const at = (url: string) => `/ip4/127.0.0.1/tcp/${new URL(url).port}`;
  const lines = {
    ipfs: `ipfs" --api ${at(kubo)}`,
    'ipfs-cluster-ctl': `ipfs-cluster-ctl" --host ${at(cluster)}`,
  };
  for (const [name, line] of Object.entries(lines))
    fs.writeFileSync(world.at(`bin/${name}`), `#!/bin/sh\nexec "${BINARIES}/${line} "$@"\n`, { mode: 0o755 });
}

function addCluster(world: OperatorsWorld, { peers }: ClusterLab): void {
  const kubos = peers.map(({ name, kubo }) => `--kubo ${name}=${kubo}`).join(' ');
  world.shardctl(`peers add cluster ${peers[0].cluster} --name attic ${kubos}`);
}

/** The mirror is on the Cluster; sections that begin with nothing lose the home. */
function prepareCluster(world: OperatorsWorld, lab: ClusterLab): Words {
  const [c1, c2, c3] = lab.peers;
  for (const dir of ['var/lib/shardctl', 'mnt']) fs.rmSync(world.at(dir), { recursive: true });
  fs.mkdirSync(world.at('etc/shardctl'), { recursive: true });
  spawnSync('cp', ['-a', world.at('srv/debian'), world.at('mirror')]);
  fs.writeFileSync(world.at('etc/shardctl/attic'), 'secret\n', { mode: 0o600 });
  fs.writeFileSync(world.at('etc/shardctl/attic.pem'), CERTIFICATES.a.cert);
  putPrograms(world, lab);
  addCluster(world, lab);
  world.shardctl('add ./mirror --replication 2 -q');
  const head =
    world
      .sh('shardctl status --json')
      .said.split('\n')
      .find((line) => line.includes('"head"')) ?? '';
  const { cid } = (JSON.parse(head) as { head: { cid: string } }).head;
  return [
    ['https://10.0.0.1:9094', c1.cluster],
    ['http://10.0.0.1:5001', c1.kubo],
    ['http://10.0.0.2:5001', c2.kubo],
    ['http://10.0.0.3:5001', c3.kubo],
    ['https://east.example:9094', c1.cluster],
    ['https://east.example:8080', c1.gateway],
    ['--members c4', '--members c3'],
    ['SNAPSHOT', cid],
  ];
}

export function clusterPage(lab: ClusterLab): PageHere {
  return {
    prepare: (world) => prepareCluster(world, lab),
    before: {
      'A Cluster as one peer': (world) => {
        fs.rmSync(world.at('var/lib/shardctl'), { recursive: true });
        world.shardctl('peers add local /mnt/west');
      },
      // The home is as it was before the other sections, and the Cluster is not.
      'What to know about the Cluster': (world) => world.shardctl('repair'),
    },
    notRun: {
      [WEST]: 'a second Cluster: a directory stands for it',
      'ipfs-cluster-follow mirror init https://mirror.example/service.json': WITHOUT_CONFIGURATION,
      'ipfs-cluster-follow mirror run': WITHOUT_CONFIGURATION,
    },
  };
}
