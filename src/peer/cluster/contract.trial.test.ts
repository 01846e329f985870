import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { base32upper } from 'multiformats/bases/base32';
import { sha256 } from '../../dag/cid.ts';
import { ClusterLab, withoutCluster } from '../../testing/cluster.ts';
import { peerContract } from '../../testing/contract/contract.ts';
import { onlyInAll } from '../../testing/depth.ts';
import { labCluster } from '../../testing/lab-cluster.ts';
import { OTHER_OWNER } from '../../testing/owner.ts';

describe('IPFS Cluster', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => lab.stop());

  for (const withKubo of [false, true]) {
    peerContract(`a member of an IPFS Cluster, its Kubo ${withKubo ? '' : 'not '}known`, async () => {
      await lab.empty();
      return {
        peer: labCluster(lab, withKubo).c2,
        other: labCluster(lab, withKubo, lab.peers[0].cluster, OTHER_OWNER).c2,
        hasNoOrder: true,
        flip: async (_, block) => {
          const file = fileOf(block);
          const bytes = readFileSync(file);
          bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
          writeFileSync(file, bytes);
        },
        cut: async (_, block) => truncateSync(fileOf(block), block.length >> 1),
      };
    });
  }

  /** Where the Kubo of c2 keeps a block. */
  function fileOf(block: Uint8Array): string {
    const key = base32upper.baseEncode(Uint8Array.of(0x12, 0x20, ...sha256(block)));
    return join(lab.dir, 'kubo2', 'blocks', key.slice(-3, -1), `${key}.data`);
  }
});
