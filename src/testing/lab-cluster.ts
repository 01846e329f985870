/** The Cluster of a lab as peers. */
import { ClusterApi } from '../peer/cluster/api.ts';
import { Cluster } from '../peer/cluster/cluster.ts';
import { type ClusterMemberPeer, memberPeers } from '../peer/cluster/member.ts';
import { HttpClient, type HttpRequest } from '../peer/http/client.ts';
import { KuboPeer } from '../peer/kubo/kubo.ts';
import { KuboRpc } from '../peer/kubo/rpc.ts';
import { openShard } from '../peer/remote/remote-reader.ts';
import type { ClusterLab } from './cluster.ts';
import { TEST_OWNER } from './owner.ts';

/** Notes what is asked, and asks it. */
export class NotingClient extends HttpClient {
  readonly asked: string[] = [];

  override request(request: HttpRequest) {
    this.asked.push(`${request.method} ${request.path}`);
    return super.request(request);
  }

  uploads(): number {
    return this.asked.filter((line) => line === 'POST add').length;
  }
}

/** Members `lab.c1` to `lab.c3`, which have met nothing yet. What is not read from a member's Kubo comes from whichever has it. */
export function labCluster(lab: ClusterLab, withKubo: boolean, url: string = lab.peers[0].cluster, owner = TEST_OWNER) {
  const http = new NotingClient({ url, who: 'the Cluster' });
  const members = lab.peers.map(({ name, clusterId, kuboId, kubo }) => ({
    id: clusterId,
    name: `lab.${name}`,
    kubo: withKubo ? new KuboPeer({ name, url: kubo, id: kuboId, owner: undefined, namesPins: false }) : undefined,
  }));
  const readers = lab.peers.map(({ kubo, name }) => new KuboRpc(new HttpClient({ url: kubo, who: name })));
  const gateway = (cid: string) => Promise.any(readers.map((kubo) => openShard(kubo, cid)));
  const cluster = new Cluster({
    name: 'lab',
    owner,
    api: new ClusterApi(http),
    members,
    tags: { tier: 'cold' },
    now: Date.now,
    gateway,
  });
  const [c1, c2, c3] = memberPeers(cluster) as [ClusterMemberPeer, ClusterMemberPeer, ClusterMemberPeer];
  return { http, cluster, c1, c2, c3 };
}

export async function listOf(peer: { list(): AsyncIterable<string> }): Promise<string[]> {
  const cids: string[] = [];
  for await (const cid of peer.list()) cids.push(cid);
  return cids;
}
