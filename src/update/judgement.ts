/** What the gate says of the tree of a run, and what becomes of its snapshot then. */

import { ShardctlError } from '../core/errors.ts';
import type { Gate, GateOrder, PathChange } from '../core/gate.ts';
import { type BlockId, isHeld, type SnapshotRecord } from '../core/model.ts';
import { hasOnlyThoseOf, type Judgement, type Verdict } from '../core/verdict.ts';
import { blockText, parseCid } from '../dag/cid.ts';
import { UnreadableBlock } from '../read/blocks/block-source.ts';
import { placedBlocks } from '../read/blocks/placed-blocks.ts';
import { treeToJudge } from '../read/tree/stored-tree.ts';
import type { FreshBlocks } from './fresh-blocks.ts';
import type { IngestRun } from './ingest-run.ts';
import { mayBeUnpackedNow } from './lacked-programs.ts';
import { compileFilter } from './scan/filter.ts';

/** What differs from the tree of the parent; undefined for more than can be told. */
export interface Since {
  readonly parent: SnapshotRecord;
  readonly changes: readonly PathChange[] | undefined;
  /** Blocks that this run has made. */
  readonly fresh: FreshBlocks | undefined;
}

/**
 * Judges a tree whose shards are placed.
 * @param since where this is known: if the parent was passed, the two trees need not be compared
 * @throws ShardctlError when the tree cannot be judged: then there is no snapshot, as nobody knows what would be published
 */
export async function judgementOf(run: IngestRun, gate: GateOrder, root: BlockId, since?: Since): Promise<Judgement> {
  const { repository } = run.request;
  const { index } = run.home;
  const before = index.snapshots(repository);
  const passed = await lastPassed(before, gate);
  const head = index.snapshot(repository, index.repository(repository)?.head ?? 0);
  const isLate = head !== undefined && (await isJudgedLate(head, gate));
  // A head that is judged late is held against no head: all that it contradicts would be an old contradiction.
  const isOther = head !== undefined && head.tree !== passed?.tree && !(isLate && isTree(head, root));
  const trees = { root, passed, head: isOther ? head : undefined, since };
  const verdict = await verdictOn(run, gate.judge, trees).catch((error: unknown) => {
    if (gate.isByName || !(error instanceof UnreadableBlock) || !error.isOutOfReach) throw error;
    tellUnjudged(run, error, before.at(-1));
    return error;
  });
  if (verdict instanceof UnreadableBlock)
    return { outcome: 'unjudged', by: gate.by, kinds: [], count: 0, contradictions: [], unread: verdict.shard };
  tellLacking(run, verdict, before.at(-1));
  // Nobody has been told of what such a head contradicts: it is named once, and holds nothing back, because readers have it.
  if (isOther && isLate && verdict.asBefore > 0) {
    const whole = await verdictOn(run, gate.judge, { ...trees, head: undefined });
    return judgement(whole, gate, verdict.count === 0 ? 'warned' : outcomeOf(whole, gate, head), passed);
  }
  return judgement(verdict, gate, outcomeOf(verdict, gate, head), passed);
}

function judgement(verdict: Verdict, { by }: GateOrder, outcome: Judgement['outcome'], passed: SnapshotRecord | undefined): Judgement {
  const { kinds, count, contradictions, asBefore, leftOut } = verdict;
  // An index that the passed tree has, too, is not read again, and nobody asks for the program that it lacked then.
  const lacking = [...new Set([...verdict.lacking.map(({ program }) => program), ...(passed?.gate?.lacking ?? [])])];
  return {
    outcome,
    by,
    kinds,
    count,
    contradictions,
    ...(asBefore === 0 ? {} : { asBefore }),
    ...(leftOut === 0 ? {} : { leftOut }),
    ...(lacking.length === 0 ? {} : { lacking }),
  };
}

/**
 * What becomes of a snapshot that the gate has held back or could not judge, or not all of it, and of which a run finds that the source is
 * still the same. What it was judged by decides whether it has to be judged again; what could not be read may be readable now. Where it is
 * the head, readers have it: what it contradicts is told, and holds nothing back.
 */
export async function judgedAgain(run: IngestRun, snapshot: SnapshotRecord): Promise<Judgement | undefined> {
  const { gate } = run.request;
  const known = snapshot.gate;
  if (gate === undefined) return undefined;
  if (known !== undefined && (await isJudgedLate(snapshot, gate))) return await judgedLate(run, gate, snapshot, known);
  if (known?.by !== gate.by) return await judgementOf(run, gate, parseCid(snapshot.tree));
  return isHeld(snapshot) && gate.action === 'warn' ? { ...known, outcome: 'warned' } : known;
}

/** A run that has nothing else to do does not fail because a peer is silent: the next one asks again. */
async function judgedLate(run: IngestRun, gate: GateOrder, snapshot: SnapshotRecord, known: Judgement): Promise<Judgement> {
  const found = await judgementOf(run, gate, parseCid(snapshot.tree)).catch((error: unknown) => {
    if (gate.isByName || !(error instanceof ShardctlError) || run.control.signal.aborted) throw error;
    return known;
  });
  if (found.outcome === 'unjudged') return { ...known, ...(found.unread === undefined ? {} : { unread: found.unread }) };
  return { ...found, outcome: found.outcome === 'held' ? 'warned' : found.outcome };
}

/** By this gate, and all of it that can be read here: what was passed without a program that is there now is judged again. */
async function lastPassed(snapshots: readonly SnapshotRecord[], gate: GateOrder): Promise<SnapshotRecord | undefined> {
  for (const snapshot of snapshots.toReversed()) {
    const known = snapshot.gate;
    if (known?.outcome === 'passed' && known.by === gate.by && !(await mayBeUnpackedNow(snapshot, gate))) return snapshot;
  }
  return undefined;
}

/** Whether readers have what no gate has read, or not all of it. */
async function isJudgedLate(snapshot: SnapshotRecord, gate: GateOrder): Promise<boolean> {
  return snapshot.gate?.outcome === 'unjudged' || (!isHeld(snapshot) && (await mayBeUnpackedNow(snapshot, gate)));
}

function isTree({ tree }: SnapshotRecord, root: BlockId): boolean {
  return blockText(parseCid(tree).digest) === blockText(root.digest);
}

function tellUnjudged({ request, control }: IngestRun, { message, hint }: ShardctlError, newest: SnapshotRecord | undefined): void {
  if (newest?.gate?.outcome === 'unjudged') return;
  control.emit({
    type: 'warning',
    message: `the gate could not judge ${request.repository}, which is the head all the same: ${message}`,
    ...(hint === undefined ? {} : { hint: `${hint}; or judge nothing with \`--gate off\`` }),
  });
}

/** @param newest of which it was told already what could not be read in it */
function tellLacking({ request, control }: IngestRun, { lacking }: Verdict, newest: SnapshotRecord | undefined): void {
  if (lacking.every(({ program }) => newest?.gate?.lacking?.includes(program))) return;
  const counts = lacking.map(({ program, indexes }) => `${indexes} that \`${program}\` unpacks`).join(', ');
  const total = lacking.reduce((sum, { indexes }) => sum + indexes, 0);
  control.emit({
    type: 'warning',
    message: `the gate could not judge ${total} index${total === 1 ? '' : 'es'} of ${request.repository}: ${counts}; what they say is not compared`,
    hint: `install ${lacking.map(({ program }) => program).join(' and ')}, or judge nothing with \`--gate off\``,
  });
}

/** What somebody has accepted for the head is accepted as long as nothing is added to it: else each update would be held back again. */
function outcomeOf(verdict: Verdict, { action }: GateOrder, head: SnapshotRecord | undefined): Judgement['outcome'] {
  if (verdict.count === 0) return verdict.asBefore === 0 ? 'passed' : 'accepted';
  if (head?.gate?.outcome === 'accepted' && hasOnlyThoseOf(verdict, head.gate)) return 'accepted';
  return action === 'warn' ? 'warned' : 'held';
}

interface Trees {
  readonly root: BlockId;
  readonly passed: SnapshotRecord | undefined;
  readonly head: SnapshotRecord | undefined;
  readonly since: Since | undefined;
}

async function verdictOn(run: IngestRun, judge: Gate, { root, passed, head, since }: Trees): Promise<Verdict> {
  const { signal } = run.control;
  const stored = placedBlocks(run.home.index, run.home.peers, { signal });
  const blocks = since?.fresh?.before(stored) ?? stored;
  const shown = head && parseCid(head.tree);
  const { leavesOut } = compileFilter(run.request.filters);
  const known = since?.parent.tree === passed?.tree ? since?.changes : undefined;
  const against = async (before: BlockId | undefined) =>
    await judge(treeToJudge({ root, passed: before, head: shown, known, blocks, signal, leavesOut }), signal);
  try {
    if (passed === undefined) return await against(undefined);
    return await against(parseCid(passed.tree)).catch((error: unknown) => {
      // Blocks of the older tree may be lost, which is no reason to hold up the new one: it is judged as a whole.
      if (!(error instanceof ShardctlError) || signal.aborted) throw error;
      return against(undefined);
    });
  } finally {
    await stored.close();
  }
}
