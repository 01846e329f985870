/** Trouble while a mirror is placed on a real IPFS Cluster: the run ends well or says what is missing, and a rerun completes it. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { ClusterLab, withoutCluster } from '../testing/cluster.ts';
import { ClusterHome } from '../testing/cluster-home.ts';
import { onlyInAll } from '../testing/depth.ts';
import { FaultProxy, uploadFaults } from '../testing/fault-proxy.ts';
import type { Finished } from '../testing/program.ts';

const ADD = '/add';

describe('placing on an IPFS Cluster', { skip: onlyInAll(withoutCluster()) }, () => {
  let lab: ClusterLab;
  let home: ClusterHome;
  let proxy: FaultProxy;
  before(() => {
    lab = ClusterLab.start();
  });
  after(() => lab.stop());
  beforeEach(async () => {
    home = await ClusterHome.create(lab);
    proxy = await FaultProxy.start(lab.peers[0].cluster);
  });
  afterEach(async () => {
    home.dispose();
    await proxy.stop();
  });

  /** The proxy is in this process: nothing may block it. */
  const run = (...argv: string[]): Promise<Finished> => home.program.follow(() => {}, ...argv);
  async function succeeds(...argv: string[]): Promise<Finished> {
    const finished = await run(...argv);
    assert.equal(finished.code, 0, `${argv.join(' ')}: ${finished.stdout.slice(-1500)} ${finished.stderr}`);
    return finished;
  }
  const ADDING = () => ['add', home.source, '--shard-size', '256KiB', '--replication', '2', '--json'];

  /** @param onPlaced told how many shards are placed, each time */
  async function add(onPlaced: (count: number) => void = () => {}): Promise<Finished> {
    let placed = 0;
    return await home.program.follow(
      (line) => {
        if (line.includes('"type":"placed"')) onPlaced(++placed);
      },
      ...ADDING(),
    );
  }

  /** Everything is there twice, and the next run sends nothing. */
  async function isComplete(): Promise<void> {
    const uploads = proxy.count(ADD);
    await succeeds(...ADDING(), '--checksum');
    assert.equal(proxy.count(ADD), uploads, 'what is there is not sent again');
    await succeeds('verify', '--replication', '2');
    await succeeds('peers', 'add', 'cluster', proxy.url, '--name', 'lab', ...home.kubos);
    await succeeds('verify', '--read-data', '--replication', '2');
  }

  const ways = { 'whose Kubo are known': () => home.kubos, 'by the REST API alone': () => [] };
  for (const [how, options] of Object.entries(ways)) {
    test(`members ${how}: one is killed in the middle, and others take over`, async () => {
      await succeeds('peers', 'add', 'cluster', proxy.url, '--name', 'lab', ...options());
      const [, , c3] = lab.peers;
      let killed: Promise<void> | undefined;
      try {
        const added = await add((placed) => {
          if (placed === 2) killed = lab.killMember(c3);
        });
        assert.equal(added.code, 0, added.stdout.slice(-1000));
      } finally {
        await killed;
        await lab.startMember(c3);
      }
      await isComplete();
    });

    test(`members ${how}: the one that is asked is killed in the middle and started again, and nothing is lost`, async () => {
      await succeeds('peers', 'add', 'cluster', proxy.url, '--name', 'lab', ...options());
      const [c1] = lab.peers;
      let restarted: Promise<void> | undefined;
      const added = await add((placed) => {
        if (placed === 2) restarted = lab.killMember(c1).then(() => lab.startMember(c1));
      });
      await restarted;
      if (added.code !== 0) {
        assert.equal(added.code, 42);
        assert.match(added.stdout, /shard \d+ is on \d of 2 peers/);
        await succeeds(...ADDING());
      }
      await isComplete();
    });
  }

  const faults = uploadFaults(100_000, '{"code":500,"message":"oops"}');
  for (const [what, fault] of Object.entries(faults)) {
    test(`a proxy that ${what} for some uploads: the run ends well, or names each shard that is missing and the next one ends well`, async () => {
      await succeeds('peers', 'add', 'cluster', proxy.url, '--name', 'lab');
      proxy.rule = (path, nth) => (path === ADD && nth >= 2 && nth < 5 ? fault : undefined);
      const added = await add();
      if (added.code !== 0) {
        assert.equal(added.code, 42);
        assert.match(added.stdout, /shard \d+ is on \d of 2 peers/);
        proxy.rule = () => undefined;
        await succeeds(...ADDING());
      }
      await isComplete();
    });
  }
});
