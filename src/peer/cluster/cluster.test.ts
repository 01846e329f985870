import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { base32upper } from 'multiformats/bases/base32';
import { sha256 } from '../../dag/cid.ts';
import { ClusterLab, withoutCluster } from '../../testing/cluster.ts';
import { peerContract } from '../contract.ts';
import { HttpClient } from '../http/client.ts';
import { openShard } from '../kubo/reader.ts';
import { KuboRpc } from '../kubo/rpc.ts';
import { ClusterApi } from './api.ts';
import { Cluster } from './cluster.ts';
import { ClusterMemberPeer, type Shared } from './member.ts';
import { Uploads } from './upload.ts';

describe('IPFS Cluster', { skip: withoutCluster() }, () => {
  let lab: ClusterLab;
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => lab.stop());

  peerContract('a member of an IPFS Cluster', async () => {
    await lab.empty();
    const [c1] = lab.peers;
    const http = new HttpClient({ url: c1.cluster, who: 'the Cluster' });
    const members = lab.peers.map(({ name, clusterId }) => ({ id: clusterId, name: `lab.${name}` }));
    const kubo = new KuboRpc(new HttpClient({ url: lab.peers[1].kubo, who: 'c2' }));
    const cluster = new Cluster({
      name: 'lab',
      api: new ClusterApi(http),
      members,
      tags: {},
      now: Date.now,
      gateway: (cid) => openShard(kubo, cid),
    });
    const shared: Shared = {
      cluster,
      uploads: new Uploads(cluster),
      ids: new Map(members.map(({ id, name }) => [name, id])),
      roots: new Map(),
    };
    const peer = new ClusterMemberPeer(shared, members[1] as (typeof members)[number]);
    const fileOf = (block: Uint8Array) => {
      const key = base32upper.baseEncode(Uint8Array.of(0x12, 0x20, ...sha256(block)));
      return join(lab.dir, 'kubo2', 'blocks', key.slice(-3, -1), `${key}.data`);
    };
    return {
      peer,
      flip: async (_, block) => {
        const bytes = readFileSync(fileOf(block));
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
        writeFileSync(fileOf(block), bytes);
      },
      cut: async (_, block) => truncateSync(fileOf(block), block.length >> 1),
    };
  });
});
