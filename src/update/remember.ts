/** Writes what the index remembers of a repository, when a run makes no new snapshot. */
import type { GateOrder } from '../core/gate.ts';
import { isHeld, type SnapshotRecord } from '../core/model.ts';
import { asksOtherwise } from '../storing/demand.ts';
import { commitSnapshot, showHead } from '../storing/new-head.ts';
import type { IngestRun } from './ingest-run.ts';
import { mayBeUnpackedNow } from './lacked-programs.ts';
import type { Start } from './prepare.ts';
import { repositoryRecord } from './repository-record.ts';
import type { Recorded } from './summary.ts';
import { tellJudgement } from './tell-judgement.ts';
import { mayBeReadNow } from './unread-shard.ts';

/**
 * Nothing differed in the tree. But the repository may have another source, other rules, or a larger demand than the index remembers,
 * a run that was killed may not have written the head's file, and a snapshot that the gate held back may pass now, because something
 * else is asked of the gate; or one that it could not judge, or not all of, can be read now.
 * @param newest what the source was compared with @returns it, as it is recorded now
 */
export async function remember(
  run: IngestRun,
  newest: SnapshotRecord,
  { ledger, usableShards }: Pick<Start, 'ledger' | 'usableShards'>,
): Promise<Recorded> {
  const { request, home, control } = run;
  const { index } = home;
  const { repository, allocateBy, ownDemand } = request;
  const asking = { index, repository, ownDemand };
  let unreadableShards = 0;
  if (asksOtherwise(asking)) {
    const shards = newest.shards.map((number) => index.shard(number)).filter((shard) => shard !== undefined);
    // Before it is remembered: a run that dies in between does it again when it is told again.
    unreadableShards = await (await import('../storing/copy/raise.ts')).raise(
      { ...home, ...control, ...asking, replication: ledger.replication, allocateBy },
      { ledger, usableShards },
      shards,
    );
  }
  const snapshot = ownedNow(await reconsidered(run, newest));
  const head = isHeld(snapshot) ? (index.repository(repository)?.head ?? 0) : snapshot.number;
  const record = repositoryRecord(request, index, head, snapshot.number);
  const move = { ...home, emit: control.emit, silent: ledger.silent() };
  if (JSON.stringify(snapshot) !== JSON.stringify(newest)) await commitSnapshot(move, record, snapshot);
  else if (JSON.stringify(record) !== JSON.stringify(index.repository(repository))) await index.saveRepository(record);
  const shown = head === snapshot.number ? snapshot : index.snapshot(repository, head);
  if (shown !== undefined) await showHead(move, shown);
  // What a run has warned of is no news as long as nothing has changed; what is held back is.
  const isNews = JSON.stringify(snapshot.gate) !== JSON.stringify(newest.gate);
  if (snapshot.gate?.outcome !== 'warned' || isNews) tellJudgement(control.emit, snapshot, head, newest);
  return { snapshot, unreadableShards };
}

/** `import-car` or `recover` brought this snapshot. The source has been compared with it and is the same: it counts as this home's own now. */
function ownedNow({ broughtBy: _, ...own }: SnapshotRecord): SnapshotRecord {
  return own;
}

/** The snapshot with what the gate says of it in this run; as it is recorded, where that is the same. */
async function reconsidered(run: IngestRun, newest: SnapshotRecord): Promise<SnapshotRecord> {
  const { gate } = run.request;
  if (gate === undefined ? !isHeld(newest) : !(await isReconsidered(run, newest, gate))) return newest;
  const judgement = await (await import('./judgement.ts')).judgedAgain(run, newest);
  if (judgement === newest.gate) return newest;
  const { gate: _, ...rest } = newest;
  return judgement === undefined ? rest : { ...rest, gate: judgement };
}

async function isReconsidered({ home }: IngestRun, newest: SnapshotRecord, gate: GateOrder): Promise<boolean> {
  if (isHeld(newest)) return gate.by !== newest.gate?.by || gate.action !== 'hold';
  // To try costs questions to all that hold it, and loads the judges; but who has asked for the kind by name wants the error.
  if (newest.gate?.outcome === 'unjudged') return gate.isByName || mayBeReadNow(home, newest);
  return await mayBeUnpackedNow(newest, gate);
}
