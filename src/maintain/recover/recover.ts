/**
 * `recover`: makes a lost home anew from what its peers hold. It needs nothing else, not even a snapshot's CID: it looks through the peers
 * for snapshots, and brings back those that are wanted, with their history.
 *
 *   what the peers list → snapshots → shards (manifests only, no file data) → records, the head last
 */
import { ShardctlError } from '../../core/errors.ts';
import { replicationSeen } from '../../core/model.ts';
import { writeHead } from '../../home/heads.ts';
import { checkRepositoryName } from '../../snapshot/repository-name.ts';
import { pinHeads } from '../../storing/pin-heads.ts';
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
  /** Snapshots; the newest is the head, under the number of them all. */
  readonly number: number;
  readonly snapshot: string;
  readonly tree: string;
  /** What its snapshots call it. */
  readonly formerName: string;
  /** IDs of the homes that had marked its head as their own. */
  readonly owners: readonly string[];
}

/** Every snapshot on the peers, newest first. Writes nothing. */
export async function recoverable(search: Search): Promise<Recoverable[]> {
  const held = await listAll(search);
  const found = await survey(search, held);
  return found.sort(newestFirst).map((snapshot) => {
    const { read, catalogue, owners } = snapshot;
    const { repository, time, counts, bytes } = read.file;
    const known = { repository, snapshot: read.cid, tree: treeText(read), time, files: counts.files, bytes };
    return { ...known, shards: read.shards.length, missing: missingIn(held, snapshot), peers: catalogue.peers, owners };
  });
}

/**
 * @returns what came back, by the repositories' names
 * @throws ShardctlError `NOT_FOUND` when something wanted is on none of the peers, `USAGE` when the home has something else of that
 * name or number, `DAMAGE` when a snapshot bears a name that no repository may have; nothing of the repository concerned is recorded then
 */
export async function recover(run: RecoverRun): Promise<Recovered[]> {
  const held = await listAll(run);
  const found = await survey(run, held, isEnoughFor(run.wanted));
  const { wanted, homeId, owner } = run;
  const histories = choose(found, { wanted, homeId, owner, missingFrom: (snapshot) => missingIn(held, snapshot) });
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
  assertFree(run, all);
  const marked = await markAll(run, held, all);
  const recovered: Recovered[] = [];
  for (const history of all) recovered.push(await recoverOne(run, marked, history));
  return recovered;
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
  const { index, heads, source, headOf, demandOf } = run;
  const taken = await takeShards(run, held, snapshots);
  // Where the head is known it stays the head, although a snapshot that was forgotten since may be newer by its clock.
  const known = headOf(repository);
  const head = snapshots.find(({ read }) => read.cid === known) ?? (snapshots.at(-1) as FoundSnapshot);
  const inOrder = [...snapshots.filter((snapshot) => snapshot !== head), head];
  const records = inOrder.map((snapshot, at) => recordOf(withHolders(held, snapshot), repository, at + 1));
  const last = records.at(-1);
  if (last === undefined) throw new Error('a repository without a snapshot');
  const { profile, metadata, cid, tree, number } = last;
  // The repository comes into being with its head: a run that dies before that has recorded nothing that anybody sees.
  await index.replaceSnapshots(records.slice(0, -1), []);
  // Nobody says any more how many replicas were asked for: what is there is not to become less with the next update or drain.
  const replication = replicationSeen(last.shards.flatMap((shard) => index.shard(shard) ?? []));
  const { owners } = head;
  const told = { ...(replication === undefined ? {} : { replication }), ...demandOf(head.read.file.repository, owners) };
  await index.commit({ name: repository, source, head: number, profile, chunker: undefined, metadata, filters: [], ...told }, last);
  writeHead(heads, repository, cid);
  await pinHeads(run, repository);
  return { repository, number, snapshot: cid, tree, formerName: head.read.file.repository, owners, ...taken };
}

function withHolders(held: Held, { catalogue, ...found }: FoundSnapshot): FoundSnapshot {
  return { ...found, catalogue: { ...catalogue, peers: holdersIn(held, catalogue.cid) } };
}

function missingIn(held: Held, { read }: FoundSnapshot): number {
  return read.shards.filter(({ cid }) => holdersIn(held, cid).length === 0).length;
}
