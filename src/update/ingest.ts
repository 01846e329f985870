/**
 * THE pipeline: `add`, and `update`, which is the same with a parent.
 *
 *   scan → compare → import → pack → allocate → place → link → commit
 *
 * Everything streams: what is held is one open shard's books, the slabs of blocks under way, and the directories between the
 * root and the current one. The order of writes is docs/architecture.md, "Order of writes": blocks, pins, records, catalogue, snapshot, head.
 */
import { availableParallelism } from 'node:os';
import type { Summary } from '../core/events.ts';
import type { ByteString, EntryKind } from '../core/model.ts';
import { Throughput } from '../core/small-heap.ts';
import { cidText, parseCid } from '../dag/cid.ts';
import type { ParentEntries } from '../index/entries/some-entries.ts';
import { placedBlocks } from '../read/blocks/placed-blocks.ts';
import { assertSameSource } from '../source/source.ts';
import { ShardSink } from '../storing/shard-sink.ts';
import { emptyOwnSpool } from '../storing/spool.ts';
import { ChangesSinceParent } from './changes-since-parent.ts';
import { commit } from './commit.ts';
import { compare } from './compare/compare.ts';
import { resume } from './compare/resume.ts';
import { takeOver } from './compare/take-over.ts';
import { Deletions } from './deletion-guard.ts';
import { FreshBlocks } from './fresh-blocks.ts';
import { importEntries } from './import/import.ts';
import { ImportPool } from './import/pool.ts';
import type { IngestRun } from './ingest-run.ts';
import { Pending } from './interrupted-runs.ts';
import { changeOf, DELETED, itemized, rootChange } from './itemize.ts';
import { link } from './link/link.ts';
import { type Parent, usableIn } from './parent.ts';
import type { Start } from './prepare.ts';
import { remember } from './remember.ts';
import { compileFilter } from './scan/filter.ts';
import { Links } from './scan/links.ts';
import { isRacyAt } from './scan/racy.ts';
import { Recall } from './scan/recall.ts';
import { walk } from './scan/walk.ts';
import { scopeOf } from './scope-of.ts';
import { type Recorded, summarize } from './summary.ts';
import { Tally } from './tally.ts';
import type { ToldScope } from './told/told-scope.ts';

/**
 * Measured on two cores, medians of 3, seconds for 40,000 small files and for six of 256 MiB: one worker 1.95 and 1.70, two
 * 1.79 and 1.43, three 1.92 and 1.50. More cores have not been measured.
 */
const IMPORT_WORKERS = 2;

/** @param start what `begin` found: the source may differ from the parent, or there is no parent */
export async function ingest(run: IngestRun, start: Start): Promise<Summary> {
  const { request, home, control } = run;
  const { repository, source, profile, metadata, trust, itemize, shardBytes } = request;
  const { index, peers, spool, inTurn, pending: pendingDir } = home;
  const { signal, transfers, throttle, now } = control;
  const { root, ledger, usableShards, parent, sweep } = start;
  const { replication } = ledger;
  const { ignoreInode } = trust;
  const tally = new Tally(control.emit, now, await request.gate?.indexNames());
  const scope = start.isTold ? await scopeOf({ request, signal }, parent, root, tally) : undefined;
  const base: ParentEntries | undefined = scope?.entries ?? parent?.entries?.whole();
  const { emit } = tally;
  emptyOwnSpool(spool);
  if (itemize) for (const change of rootChange(root, parent?.entries?.header, metadata)) emit({ type: 'change', ...change });

  const isRacy = isRacyAt(start.at);
  const usable = usableIn({ replication, peers }, usableShards, parent);
  const pending = new Pending({ repository, source, profile, metadata, pending: pendingDir, index, usableShards, usable, parent, isRacy });
  const sink = new ShardSink({
    ...{ repository, replication, shardBytes, index, peers, spool, inTurn, ledger, usableShards, usable },
    ...{ pending: pending.writer, transfers, throttle, emit, signal, now },
  });
  const blocks = placedBlocks(index, peers);
  const deletions = new Deletions({
    repository,
    limit: request.maxDelete,
    parent: parent?.snapshot,
    compared: parent?.entries !== undefined,
    stopAtOnce: true,
  });
  const changes = request.gate && parent?.entries && new ChangesSinceParent();
  // Of a tree that no gate has passed everything is read, of which this is little.
  const fresh = changes && parent?.snapshot.gate?.outcome === 'passed' ? new FreshBlocks() : undefined;
  const onRemoved = (path: ByteString, kind: EntryKind) => {
    deletions.note();
    changes?.noteRemoved(path, kind);
    if (itemize) emit({ type: 'change', ...changeOf(DELETED, path, kind) });
  };
  const number = (parent?.snapshot.number ?? 0) + 1;
  const entries = entriesTo(run, start, { number, scope, isRacy });
  const importSetup = { source: root.handle, profile, metadata, ignoreInode };
  const pool = new ImportPool(Math.min(IMPORT_WORKERS, availableParallelism()), importSetup, root.reach);

  const recall = sweep && parent?.entries && new Recall(parent.entries.whole().another(), sweep);
  const links = request.copyLinks ? new Links(root) : undefined;
  const steps = scope?.walk() ?? walk(root, { filter: compileFilter(request.filters), links, recall, emit, signal });
  const compared = compare(deletions.watch(tally.scanned(steps)), base, { ...trust, metadata, onRemoved });
  const readNode = (digest: Uint8Array) => blocks.read(digest);
  const nodes = { base, readNode, profile };
  const resumed = resume(compared, pending.sources, { ...trust, metadata });
  const imported = importEntries(resumed, { ...nodes, reach: root.reach, metadata, ignoreInode, pool, emit, signal });
  const filled = tally.filled(takeOver(imported, base));
  const told = itemize ? itemized(filled, { metadata, checksum: trust.checksum, parent: nodes }, emit) : filled;
  const before = { base: base?.another(), treeBefore: parent?.entries && parseCid(parent.snapshot.tree), readNode };
  const linked = link(told, {
    profile,
    metadata,
    root,
    rootDiffers: start.rootDiffers,
    ...before,
    entries,
    onLeave: (left) => changes?.noteLeft(left),
  });

  try {
    const throughput = new Throughput();
    let step = await linked.next();
    for (; step.done !== true; step = await linked.next()) {
      throughput.note(step.value.batch.length);
      fresh?.note(step.value);
      await sink.add(step.value);
    }
    await sink.finish();
    entries.finish();
    signal.throwIfAborted();
    assertSameSource(source, root, trust);

    const tree = step.value;
    // The same tree makes a new snapshot where it is in other shards, because some of the old ones were lost.
    const isStored = parent?.isWhole === true && sink.packed.sealed.length === 0;
    const isParents = tree !== undefined && cidText(tree.root, profile.cidVersion) === parent?.snapshot.tree && isStored;
    const unchanged = tree === undefined || isParents;
    const recorded = unchanged
      ? await keepHead(run, start, number, tally.changes)
      : await commit({ run, parent, number, tree, tally, changes, fresh, packed: sink.packed, ledger, usableShards, pending });
    await pending.drop();
    return summarize(recorded, start, { unchanged, tally, removed: deletions.removed, sink }, control);
  } catch (error) {
    await sink.abandon();
    await linked.return(undefined);
    entries.abandon();
    emptyOwnSpool(spool);
    throw error;
  } finally {
    await pool.close();
    await blocks.close();
    await pending.close();
  }
}

/** Where the new entries go: all of them, or those that are looked at, in the place of the parent's. */
function entriesTo(
  { request, home }: IngestRun,
  { root, parent }: Start,
  { number, scope, isRacy }: { number: number; scope: ToldScope | undefined; isRacy: (ctimeNs: bigint) => boolean },
) {
  const { entries } = home.index;
  const stat = { rootMode: root.mode, rootMtime: root.mtimeNs };
  if (scope === undefined || parent?.entries === undefined) return entries.write(request.repository, number, stat, isRacy);
  return entries.patch(request.repository, number, parent.entries, scope.entries.records, stat, isRacy);
}

/** The tree is the parent's, so there is no new snapshot. If stat data have changed, the new entries replace the parent's: the next run compares with them. */
async function keepHead(run: IngestRun, start: Start, number: number, changes: number): Promise<Recorded> {
  const { index } = run.home;
  const { repository } = run.request;
  const parent = start.parent as Parent;
  if (changes > 0 || parent.entries === undefined) index.entries.move(repository, number, parent.snapshot.number);
  else index.entries.drop(repository, number);
  return await remember(run, parent.snapshot, start);
}
