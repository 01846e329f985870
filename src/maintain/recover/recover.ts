/**
 * `recover`: makes a lost home anew from what its peers hold. It needs nothing else, not even a snapshot's CID: it looks through the peers
 * for snapshots, and brings back those that are wanted, with their history.
 *
 *   what the peers list → snapshots → shards (manifests only, no file data) → records, the head last
 */
import { ShardctlError } from '../../core/errors.ts';
import { type Replication, replicationSeen, type SnapshotRecord } from '../../core/model.ts';
import { checkRepositoryName } from '../../snapshot/repository-name.ts';
import { commitSnapshot } from '../../storing/new-head.ts';
import { markOn } from '../mark-holdings.ts';
import { choose, cidOf, type History, newestFirst } from './choose.ts';
import type { RecoverRun, Search } from './recover-run.ts';
import { type FoundSnapshot, type Held, holdersIn, listAll, survey } from './survey.ts';
import { recordOf, type TakenShards, takeShards, treeText } from './take.ts';

/** A snapshot that peers hold, as a listing tells of it. */
export interface Recoverable {
  readonly repository: string;
  readonly snapshot: string;
  readonly tree: string;
  /** RFC 3339. */
  readonly time: string;
  readonly files: number;
  /** Bytes of all files. */
  readonly bytes: number;
  readonly shards: number;
  /** Shards of which none of these peers has a copy. */
  readonly missing: number;
  /** Names of the peers that hold its catalogue. */
  readonly peers: readonly string[];
  /** IDs of the homes that have marked it as their own. */
  readonly owners: readonly string[];
}

/** What came back of one repository. */
export interface Recovered extends TakenShards {
  readonly repository: string;
  /** How many snapshots there are. */
  readonly snapshots: number;
  /** Number of the head; 0 where the gate holds all of them back. */
  readonly number: number;
  /** Number of the newest snapshot where the gate holds it back. */
  readonly heldBack?: number;
  /** CIDs of the head; where there is none, of the newest. */
  readonly snapshot: string;
  readonly tree: string;
  /** What its snapshots call it. */
  readonly formerName: string;
  /** IDs of the homes that had marked its head as their own. */
  readonly owners: readonly string[];
}

/** Every snapshot on the peers, newest first. Writes nothing. @throws ShardctlError `NEWER_FORMAT` when all are of a newer version */
export async function recoverable(search: Search): Promise<Recoverable[]> {
  const held = await listAll(search);
  const { found, newer } = await survey(search, held);
  if (found.length === 0 && newer !== undefined) throw newer;
  return found.toSorted(newestFirst).map((snapshot) => {
    const { read, catalogue, owners } = snapshot;
    const { repository, time, counts, bytes } = read.file;
    const known = { repository, snapshot: read.cid, tree: treeText(read), time, files: counts.files, bytes };
    return { ...known, shards: read.shards.length, missing: missingIn(held, snapshot), peers: catalogue.peers, owners };
  });
}

/**
 * @returns what came back, by the repositories' names
 * @throws ShardctlError `NOT_FOUND` when something wanted is on none of the peers, `NEWER_FORMAT` when it may be in a snapshot of a newer version, `USAGE` when the home has something else of that
 * name or number, `DAMAGE` when a snapshot bears a name that no repository may have; nothing of the repository concerned is recorded then
 */
export async function recover(run: RecoverRun): Promise<Recovered[]> {
  const held = await listAll(run);
  const { found, newer } = await survey(run, held, isEnoughFor(run.wanted));
  const histories = chosen(run, held, found, newer);
  if (histories.length === 0) {
    throw new ShardctlError('NOT_FOUND', `there is no snapshot on these peers: ${[...run.peers.keys()].join(', ')}`, {
      hint: 'name every peer that the home had with --from',
    });
  }
  if (run.name !== undefined && histories.length > 1) {
    throw new ShardctlError('USAGE', `--name is for one repository, and this would recover ${histories.length}`, {
      hint: 'name one of them, or the CID of a snapshot',
    });
  }
  const all = histories.map((history) => ({ ...history, repository: nameFor(run, history) }));
  const missing = withoutThose(run, all);
  assertFree(run, missing);
  const marked = await markAll(run, held, missing);
  const recovered: Recovered[] = [];
  for (const history of missing) recovered.push(await recoverOne(run, marked, history));
  return recovered;
}

/** Of everything, what an earlier `recover` that died, or that was for one repository, has brought back is passed over. */
function withoutThose({ wanted, name, index, emit }: RecoverRun, histories: readonly History[]): readonly History[] {
  const [there, missing] = [true, false].map((is) => histories.filter((one) => (index.repository(one.repository) !== undefined) === is));
  if (wanted !== undefined || name !== undefined || !missing?.length) return histories;
  for (const { repository } of there ?? []) emit({ type: 'passed-over', repository, reason: 'it is in this home already' });
  return missing;
}

/** What is not found may be what this version cannot read. */
function chosen(
  { wanted, homeId, owner }: RecoverRun,
  held: Held,
  found: readonly FoundSnapshot[],
  newer: ShardctlError | undefined,
): History[] {
  let histories: History[] = [];
  try {
    histories = choose(found, { wanted, homeId, owner, missingFrom: (snapshot) => missingIn(held, snapshot) });
  } catch (error) {
    if (newer === undefined || !(error instanceof ShardctlError) || error.code !== 'NOT_FOUND') throw error;
  }
  if (histories.length === 0 && newer !== undefined) throw newer;
  return histories;
}

/**
 * Marks as this home's own what it is about to count on: the home that put it may be alive, and remove it at this moment.
 * @returns what the peers hold now that it is marked
 */
async function markAll(run: RecoverRun, held: Held, histories: readonly History[]): Promise<Held> {
  const snapshots = histories.flatMap((history) => history.snapshots);
  const wanted = new Set(snapshots.flatMap(({ read, catalogue }) => [catalogue.cid, ...read.shards.map(({ cid }) => cid)]));
  await markOn(run, new Map([...held].map(([name, cids]) => [name, [...wanted].filter((cid) => cids.has(cid))])));
  return await listAll({ ...run, peers: new Map([...run.peers].filter(([name]) => held.has(name))) });
}

/** Where only CIDs of snapshots or trees are wanted, looking ends with the last of them. Of a repository there may always be one more. */
function isEnoughFor(wanted: readonly string[] | undefined): (found: FoundSnapshot) => boolean {
  const missing = new Set(wanted?.map((one) => cidOf(one) ?? one));
  return (found) => {
    for (const one of missing) if (found.read.cid === one) missing.delete(one);
    return wanted !== undefined && missing.size === 0;
  };
}

function nameFor({ name }: RecoverRun, { repository }: History): string {
  if (name !== undefined) return name;
  try {
    return checkRepositoryName(repository);
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    throw new ShardctlError('DAMAGE', `a snapshot bears a name that no repository may have: ${error.message}`, {
      hint: 'give its CID, and a name of your own with --name',
    });
  }
}

/** A number stands for one shard in a home, and two homes that share a peer have given the same numbers to different shards. */
function assertFree({ index }: RecoverRun, histories: readonly History[]): void {
  const numbers = new Map<number, string>();
  for (const { repository, snapshots } of histories) {
    if (index.repository(repository) !== undefined) {
      throw new ShardctlError('USAGE', `there is a repository ${repository} in this home already`, {
        hint: 'recover into another home with --home, or under another name with --name',
      });
    }
    for (const { number, cid } of snapshots.flatMap(({ read }) => read.shards)) {
      const known = index.shard(number)?.cid ?? numbers.get(number) ?? cid;
      if (known !== cid) {
        throw new ShardctlError(
          'USAGE',
          `${repository} has another shard ${number} than a repository of this home: they come from two homes`,
          {
            hint: 'say whose it is to be with --owner (`shardctl recover --from PEER…` lists the homes), and recover the other into a home of its own with --home',
          },
        );
      }
      numbers.set(number, cid);
    }
  }
}

async function recoverOne(run: RecoverRun, held: Held, { repository, snapshots }: History): Promise<Recovered> {
  const { index, source, demandOf } = run;
  const taken = await takeShards(run, held, snapshots);
  const { head, records } = standing(run, held, { repository, snapshots });
  const shown = records[head - 1] ?? (records.at(-1) as SnapshotRecord);
  const { profile, metadata, cid, tree } = shown;
  const { owners, read } = snapshots.find((snapshot) => snapshot.read.cid === cid) as FoundSnapshot;
  // The repository comes into being with its head: a run that dies before that has recorded nothing that anybody sees.
  await index.replaceSnapshots(
    records.filter((record) => record !== shown),
    [],
  );
  const seen = replicationSeen(shown.shards.flatMap((shard) => index.shard(shard) ?? []));
  const { replication: noted, ...elsewhere } = demandOf(read.file.repository, owners);
  // What is there is not to become less with the next update or drain, whatever a note says that may be somebody else's.
  const replication = noted === undefined || (seen !== undefined && isFewer(noted, seen)) ? seen : noted;
  const told = { ...(replication === undefined ? {} : { replication }), ...elsewhere };
  const heldBack = records.length > head ? records.length : undefined;
  const newest = heldBack === undefined ? {} : { held: heldBack };
  const record = { name: repository, source, head, ...newest, profile, chunker: undefined, metadata, filters: [], ...told };
  await commitSnapshot(run, record, shown);
  const former = { formerName: read.file.repository, owners };
  return {
    repository,
    snapshots: records.length,
    number: head,
    ...(heldBack === undefined ? {} : { heldBack }),
    snapshot: cid,
    tree,
    ...former,
    ...taken,
  };
}

/** Whether it asks for fewer replicas, at least or at most. */
function isFewer(one: Replication, other: Replication): boolean {
  // Every peer, which is written as -1, is the most.
  const count = (replicas: number) => (replicas < 0 ? Number.POSITIVE_INFINITY : replicas);
  return count(one.min) < count(other.min) || count(one.max) < count(other.max);
}

/**
 * Numbers the snapshots. What the gate held back in the lost home stays held back, and the newest of the others is the head; but where the
 * head is known it stays the head, although a snapshot that was forgotten since may be newer by its clock.
 * @returns the number of the head, 0 where there is none; all of them by their numbers
 */
function standing(
  { headOf, heldBackOf }: RecoverRun,
  held: Held,
  { repository, snapshots }: History,
): { readonly head: number; readonly records: readonly SnapshotRecord[] } {
  const owners = [...new Set(snapshots.flatMap((snapshot) => snapshot.owners))];
  const former = snapshots[0]?.read.file.repository ?? repository;
  const noted = new Map(heldBackOf(former, owners).map(({ tree, time, count }) => [`${time} ${tree}`, count]));
  const known = headOf(repository);
  const contradictionsOf = ({ read }: FoundSnapshot) => (read.cid === known ? undefined : noted.get(`${read.file.time} ${treeText(read)}`));
  const head = snapshots.find(({ read }) => read.cid === known) ?? snapshots.findLast((one) => contradictionsOf(one) === undefined);
  const at = head === undefined ? -1 : snapshots.indexOf(head);
  const isNewerHeld = (one: FoundSnapshot) => snapshots.indexOf(one) > at && contradictionsOf(one) !== undefined;
  const others = snapshots.filter((one) => one !== head && !isNewerHeld(one));
  const inOrder = [...others, ...(head === undefined ? [] : [head]), ...snapshots.filter(isNewerHeld)];
  const records = inOrder.map((one, place) => recordOf(withHolders(held, one), repository, place + 1, contradictionsOf(one)));
  return { head: head === undefined ? 0 : others.length + 1, records };
}

function withHolders(held: Held, { catalogue, ...found }: FoundSnapshot): FoundSnapshot {
  return { ...found, catalogue: { ...catalogue, peers: holdersIn(held, catalogue.cid) } };
}

function missingIn(held: Held, { read }: FoundSnapshot): number {
  return read.shards.filter(({ cid }) => holdersIn(held, cid).length === 0).length;
}
