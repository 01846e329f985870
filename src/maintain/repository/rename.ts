/**
 * `rename`: gives a repository another name, also in the `snapshot.json` of its snapshots, so that `recover` finds it under that name.
 * Trees, shards and numbers of snapshots stay; the snapshots get other CIDs, as after `prune`.
 *
 *   new catalogues → its head's text → one transaction → files → the new head's text → roots pinned → old catalogues
 *
 * Before the transaction the repository has the old name, after it the new one. What a run that dies leaves on peers, the next prune
 * removes.
 */

import { ShardctlError } from '../../core/errors.ts';
import type { PlacedShard, RepositoryRecord, SnapshotRecord } from '../../core/model.ts';
import { dropHead, writeHead } from '../../home/heads.ts';
import { Ledger } from '../../storing/allocate/ledger.ts';
import { pinHeads, unpinFormer } from '../../storing/pin-heads.ts';
import { emptySpool } from '../../storing/spool.ts';
import type { Maintenance } from '../maintenance.ts';
import { rewriteSnapshot } from '../rewrite-snapshot.ts';

export interface Renamed {
  readonly from: string;
  readonly repository: string;
  /** All of them have another CID now. */
  readonly snapshots: number;
  /** CID of the newest, and of its tree, which is as it was. */
  readonly snapshot: string;
  readonly tree: string;
}

/**
 * @param repository as it is known so far @param to a name that no other repository has
 * @param isPublished a Kubo may have a key for it
 * @throws ShardctlError `TOO_FEW_PEERS` when the snapshots' new catalogues find no place
 */
export async function rename(run: Maintenance, repository: RepositoryRecord, to: string, isPublished: boolean): Promise<Renamed> {
  const { index, heads, signal } = run;
  const { name: from } = repository;
  const ledger = await Ledger.open({ ...run, ...run.demands.of([from]) });
  const peerNames = [...ledger.freeBytes().keys()];
  emptySpool(run.spool);
  const before = index.snapshots(from);
  const after: SnapshotRecord[] = [];
  for (const snapshot of before) {
    signal.throwIfAborted();
    after.push(await rewriteSnapshot(run, snapshot, snapshot.shards, peerNames, to));
    run.emit({ type: 'progress', label: 'renaming snapshots', done: after.length, total: before.length, bytes: 0 });
  }
  const head = after.find(({ number }) => number === repository.head);
  // There is none as long as the gate holds back all that there is.
  const newest = head ?? after.at(-1);
  if (newest === undefined) throw new Error(`${from} has no snapshot`);
  dropHead(heads, from);
  const formerNames = isPublished ? { formerNames: [from, ...(repository.formerNames ?? [])].filter((name) => name !== to) } : {};
  const renamedFrom = [...new Set([from, ...(repository.renamedFrom ?? [])])].filter((name) => name !== to);
  await index.renameRepository(from, { ...repository, name: to, renamedFrom, ...formerNames }, after);
  if (head !== undefined) writeHead(heads, to, head.cid);
  await pinHeads({ ...run, silent: ledger.silent() }, to);
  await unpinFormer(run);
  await takeAway(
    run,
    before.map(({ catalogue }) => catalogue),
    ledger.silent().keys(),
  );
  return { from, repository: to, snapshots: after.length, snapshot: newest.cid, tree: newest.tree };
}

/**
 * Catalogues that bear the old name: `recover` would find the repository under it, too. What a peer keeps that does not answer is a
 * stray, and `prune`'s to remove.
 */
async function takeAway({ index, peers }: Maintenance, catalogues: readonly PlacedShard[], silent: Iterable<string>): Promise<void> {
  const passedOver = new Set(silent);
  for (const { cid, peers: holders } of catalogues) {
    for (const name of holders.filter((holder) => !passedOver.has(holder))) {
      try {
        await peers.get(name)?.remove(cid);
        await index.dropStray(cid, [name]);
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        passedOver.add(name);
      }
    }
  }
}
