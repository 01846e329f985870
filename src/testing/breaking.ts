/** For tests: trees that are not whole, as a prune that was wrong about what is live leaves them. */
import type { ShardRecord, SnapshotRecord } from '../core/model.ts';
import { withIndex } from './retention.ts';
import type { TestHome } from './run.ts';

/** The snapshots do not name this shard any more; it is still there. */
export async function unname(home: TestHome, shard: number, repository = 'test'): Promise<void> {
  await withIndex(home, async (index) => {
    const naming = index.snapshots(repository).filter(({ shards }) => shards.includes(shard));
    const without = naming.map(
      (snapshot): SnapshotRecord => ({ ...snapshot, shards: snapshot.shards.filter((number) => number !== shard) }),
    );
    await index.replaceSnapshots(without, []);
  });
}

/** Nor is it there. */
export async function lose(home: TestHome, shard: number, repository = 'test'): Promise<void> {
  await unname(home, shard, repository);
  await withIndex(home, async (index) => {
    const { cid, peers } = index.shard(shard) as ShardRecord;
    await index.replaceSnapshots([], [shard]);
    for (const name of peers) await home.peers.get(name)?.remove(cid);
    await index.dropShard(shard);
  });
}
