/**
 * `repair`: mends what `verify` finds, shard by shard, from the other replicas. A damaged copy is only removed when a good one is complete.
 * What cannot be mended is reported, and stays as it is.
 */

import { DIGEST_BYTES, hasLoss, type PlacedShard, snapshotName } from '../../core/model.ts';
import { silencesOf } from '../../storing/copy/check-replica.ts';
import { pinHeads } from '../../storing/pin-heads.ts';
import { emptySpool } from '../../storing/spool.ts';
import { markHoldings } from '../mark-holdings.ts';
import { refreshHeads } from '../prune/refresh-heads.ts';
import { mendBlockTable, relist, relistOthers } from './block-table.ts';
import { type LossFound, noteLosses, withoutLoss } from './losses.ts';
import { canRemakeCatalogue, remakeCatalogue } from './remake-catalogue.ts';
import { type RepairRun, reads, tellSilence } from './repair-run.ts';
import { ReplicaMender } from './replica-mender.ts';
import { relistOpenSnapshots, relistSnapshots } from './shard-lists.ts';
import { countUnrecorded, type Unrecorded } from './unrecorded-replicas.ts';

export interface Repaired {
  readonly dryRun: boolean;
  /** Shards and catalogues looked at. */
  readonly shards: number;
  /** Bytes of blocks that were read back to check them. */
  readonly readBytes: number;
  /** Replicas written anew where a damaged or missing one was. */
  readonly mended: number;
  /** Replicas placed on further peers, because there were too few. */
  readonly added: number;
  /** Peers whose `peer.json` was damaged. */
  readonly identities: number;
  /** Damaged files of the block table. */
  readonly runs: number;
  /** Replicas that no record named. */
  readonly found: number;
  /** Blocks that the index did not list. */
  readonly relisted: number;
  /** Snapshots whose shards did not hold their whole tree, or named a lost one, and that got a list of shards that do. */
  readonly rewritten: number;
  /** Shards and catalogues that have fewer good replicas than they must, until a peer is back or there is room. */
  readonly tooFew: number;
  /** Those of them for which peers must come back first: what they lack may be there, and is nowhere else. */
  readonly away: number;
  /** Shards and catalogues of which no whole copy is left, what trees lack besides, and the snapshots that need it. */
  readonly lost: readonly Lost[];
}

export interface Lost {
  readonly what: string;
  readonly snapshots: readonly string[];
  /** Blocks that nobody has; all others can be read. Undefined when nobody knows what else was in it. */
  readonly blocks?: number;
}

export async function repair(run: RepairRun): Promise<Repaired> {
  if (!run.dryRun) emptySpool(run.spool);
  const runs = mendBlockTable(run);
  const identities = await mendIdentities(run);
  const silent = await silentPeers(run);
  // A peer may have lost marks, too. Marking again what is marked costs nothing.
  const isQuick = run.part?.isQuick === true;
  if (!run.dryRun && !isQuick)
    await markHoldings(
      run,
      [...run.peers.keys()].filter((name) => !silent.has(name)),
    );
  const unrecorded: Unrecorded = isQuick ? NONE_UNRECORDED : await countUnrecorded(run, silent);
  const mender = new ReplicaMender(run, silent);
  try {
    const repaired = await repairWith(run, mender, unrecorded, runs > 0);
    return { ...repaired, identities, runs, found: unrecorded.found, readBytes: mender.readBytes };
  } finally {
    await mender.close();
  }
}

async function repairWith(
  run: RepairRun,
  mender: ReplicaMender,
  unrecorded: Unrecorded,
  isTableDamaged: boolean,
): Promise<Omit<Repaired, 'identities' | 'runs' | 'found' | 'readBytes'>> {
  const { index, dryRun, emit, signal, part } = run;
  const snapshots = index.repositories().flatMap(({ name }) => index.snapshots(name));
  const counts = { shards: 0, mended: 0, added: 0, relisted: 0, tooFew: 0, away: 0 };
  const losses: LossFound[] = [];
  const lost: Lost[] = [];
  const { rewritten, open } = part?.isQuick === true ? { rewritten: [], open: [] } : await relistSnapshots(run, snapshots);

  const anew = new Map(rewritten.map((snapshot) => [snapshotName(snapshot), snapshot]));
  const retained = snapshots.map((snapshot) => anew.get(snapshotName(snapshot)) ?? snapshot);
  const isMeant = (cid: string | undefined) => part === undefined || cid === undefined || part.shards.has(cid);
  const needed = new Set(retained.flatMap(({ shards }) => shards));
  const numbers = [...needed].filter((number) => isMeant(index.shard(number)?.cid)).sort((a, b) => a - b);
  // The catalogue of a new list was written just now: what is wrong with the one before does not matter any more.
  const catalogues = retained.filter((snapshot) => isMeant(snapshot.catalogue.cid) && !anew.has(snapshotName(snapshot)));
  const total = numbers.length + catalogues.length;
  for (const number of numbers) {
    signal.throwIfAborted();
    const shard = index.shard(number);
    const what = `shard ${number} ${shard?.cid ?? ''}`.trimEnd();
    const users = retained.filter(({ shards }) => shards.includes(number)).map(snapshotName);
    if (shard === undefined) {
      lost.push({ what, snapshots: users });
      continue;
    }
    // A shard with a noted loss is read whole each time: only then it is known whether the note still holds.
    const isDoubtful = hasLoss(shard) || unrecorded.damaged.has(shard.cid);
    const found = await mender.inspect(withUnrecorded(shard, unrecorded), what, isDoubtful || reads(run, shard.cid));
    const { mended, added, peers, verdict, isOutOfReach, isProven, lacking } = await mender.mend(shard, what, number, found);
    counts.mended += mended;
    counts.added += added;
    if (verdict === 'too few') counts.tooFew++;
    if (verdict === 'too few' && isOutOfReach) counts.away++;
    if (verdict === 'lost') {
      lost.push({ what, snapshots: users, ...(lacking === undefined ? {} : { blocks: lacking.length / DIGEST_BYTES }) });
      losses.push({ shard, lacking });
    } else if (hasLoss(shard) && !isProven && verdict === 'whole') {
      emit({ type: 'damage', what, where: 'the index', detail: NOTED_LOSS });
      counts.tooFew++;
    }
    if (found.contents !== undefined) counts.relisted += relist(run, shard, what, found.contents);
    if (verdict !== 'lost' && !dryRun) {
      const now = isProven ? withoutLoss(shard) : shard;
      if (now.state !== shard.state || shard.bad !== now.bad || !sameNames(peers, shard.peers))
        await index.updateShards([{ ...now, peers }]);
    }
    emit({ type: 'progress', label: 'repair', done: ++counts.shards, total, bytes: 0 });
  }
  for (const snapshot of catalogues) {
    signal.throwIfAborted();
    const what = `catalogue of ${snapshotName(snapshot)} ${snapshot.catalogue.cid}`;
    const found = await mender.inspect(withUnrecorded(snapshot.catalogue, unrecorded), what);
    const { mended, added, peers, verdict, isOutOfReach } = await mender.mend(snapshot.catalogue, what, index.nextShardNumber(), found, {
      everywhere: true,
      anew: { make: () => remakeCatalogue(run, snapshot), isPossible: () => canRemakeCatalogue(run, snapshot) },
    });
    counts.mended += mended;
    counts.added += added;
    if (verdict === 'too few') counts.tooFew++;
    if (verdict === 'too few' && isOutOfReach) counts.away++;
    if (verdict === 'lost') lost.push({ what, snapshots: [snapshotName(snapshot)] });
    else if (!dryRun && !sameNames(peers, snapshot.catalogue.peers))
      await index.replaceSnapshots([{ ...snapshot, catalogue: { ...snapshot.catalogue, peers } }], []);
    emit({ type: 'progress', label: 'repair', done: ++counts.shards, total, bytes: 0 });
  }
  // Where the block table is damaged, trees lack blocks that are in shards which this part does not look at: these are not lost.
  const isSuspect = isTableDamaged || open.length > 0;
  const looked = new Set(numbers);
  if (part?.isQuick !== true) counts.relisted += await relistOthers(run, needed, ({ number }) => isSuspect && !looked.has(number));
  if (!dryRun) await noteLosses(run, losses);
  // A dry run has not listed blocks again as a real run would, so blocks that only the table lacks are not reported as missing.
  const closed =
    dryRun && (counts.relisted > 0 || index.damagedSegments().length > 0)
      ? { rewritten: 0, lacking: [] }
      : await relistOpenSnapshots(run, open);
  lost.push(...closed.lacking);
  if (!dryRun) {
    refreshHeads(run);
    await pinHeads({ ...run, silent: mender.silent });
  }
  return { dryRun, ...counts, rewritten: rewritten.length + closed.rewritten, lost };
}

/** Of a shard that could not be had whole when it was last read. */
const NOTED_LOSS = 'a part of it was lost when it was last read, and no copy can be read to its end now';

/** Done first: a peer that is refused because its `peer.json` is damaged would count as one that does not answer. */
async function mendIdentities({ peers, dryRun, emit }: RepairRun): Promise<number> {
  let mended = 0;
  for (const [name, peer] of peers) {
    const wrong = await peer.mendIdentity?.(dryRun);
    if (wrong === undefined) continue;
    mended++;
    emit({ type: 'damage', what: 'the peer itself', where: name, detail: wrong });
    if (!dryRun) emit({ type: 'mended', what: 'peer.json', where: name });
  }
  return mended;
}

/** Peers that should hold something and do not answer: one finding each. */
async function silentPeers(run: RepairRun): Promise<Set<string>> {
  const silences = await silencesOf(run.peers.values());
  run.grace?.note({ peers: [...run.peers.keys()], silent: new Set(silences.keys()) });
  for (const [name, detail] of silences) tellSilence(run, name, detail);
  return new Set(silences.keys());
}

const NONE_UNRECORDED: Unrecorded = { found: 0, peersOf: new Map(), damaged: new Set() };

/** Adds the replicas that a real run would have put into the record by now. */
function withUnrecorded<T extends PlacedShard>(shard: T, { peersOf }: Unrecorded): T {
  return { ...shard, peers: [...new Set([...shard.peers, ...(peersOf.get(shard.cid) ?? [])])] };
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join('\n') === [...b].sort().join('\n');
}
