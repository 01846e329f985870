/**
 * `--dry-run`: what a run would do, from stat data alone. Nothing is read, imported or written, and no lock is needed.
 *
 *   scan → compare → tell
 */
import { setImmediate } from 'node:timers/promises';
import { ShardctlError } from '../core/errors.ts';
import type { Plan } from '../core/events.ts';
import { linuxCalls } from '../core/libc.ts';
import { type ByteString, DIRECTORY, type EntryCounts, type EntryKind, FILE, type Replication } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import { openSource, type Source } from '../source/source.ts';
import { Ledger } from '../storing/allocate/ledger.ts';
import { UsableShards } from '../storing/usable-shards.ts';
import { CHANGED, type Directory, DROPPED, KIND_DIFFERS, METADATA, NEW } from '../walk/directory.ts';
import { compare } from './compare/compare.ts';
import { resume } from './compare/resume.ts';
import { Deletions } from './deletion-guard.ts';
import type { ImportRequest, IngestControl, IngestHome } from './ingest-run.ts';
import { Pending } from './interrupted-runs.ts';
import { changeOf, changesOf, DELETED, rootChange } from './itemize.ts';
import { type Parent, parentOf, usableIn } from './parent.ts';
import { doubtedParent, goesByTold, sweepOf } from './prepare.ts';
import { compileFilter } from './scan/filter.ts';
import { Links } from './scan/links.ts';
import { isRacyAt } from './scan/racy.ts';
import { Recall } from './scan/recall.ts';
import type { Sweep } from './scan/sweep.ts';
import { walk } from './scan/walk.ts';
import { scopeOf } from './scope-of.ts';
import { Tally } from './tally.ts';

/** As much of a run as is planned. Changes are always told. */
export interface PlannedRun {
  readonly request: Omit<ImportRequest, 'ownDemand' | 'itemize' | 'chunker'>;
  readonly home: Pick<IngestHome, 'peers' | 'pending'> & {
    /** Undefined while there is none: then everything is new. */
    readonly index: Index | undefined;
  };
  readonly control: Pick<IngestControl, 'emit' | 'signal' | 'now' | 'secondThread' | 'grace'>;
}

/**
 * @throws ShardctlError what the run would fail with: `SOURCE_MISSING`, `TOO_FEW_PEERS`, `NO_SPACE`, and after the last change
 * and the plan `MAX_DELETE`
 */
export async function planRun(run: PlannedRun): Promise<Plan> {
  const root = openSource(run.request.source, linuxCalls());
  try {
    return await planFrom(run, root);
  } finally {
    root.close();
  }
}

async function planFrom(run: PlannedRun, root: Source): Promise<Plan> {
  const { request, control } = run;
  const { index, peers } = run.home;
  const { metadata, trust, repository, allocateBy } = request;
  const { emit, signal, now, grace } = control;
  const tally = new Tally(emit, now);
  const opening = { peers, replication: request.replication, allocateBy, emit, now, grace, mayDoWithFewer: true };
  // Without a peer the run would make one in the home.
  const ledger = peers.size === 0 ? undefined : await Ledger.open(opening);
  const replication = ledger?.replication ?? request.replication;
  const { parent, pending } = index === undefined ? NOTHING : await knownOf(run, index, ledger?.silent() ?? new Map(), replication);
  const deletions = new Deletions({
    repository,
    limit: request.maxDelete,
    parent: parent?.snapshot,
    compared: parent?.entries !== undefined,
    stopAtOnce: false,
  });
  const onRemoved = (path: ByteString, kind: EntryKind) => {
    deletions.note();
    emit({ type: 'change', ...changeOf(DELETED, path, kind) });
  };
  const counts = new Counts();
  let sweep: Sweep | undefined;
  try {
    const scope =
      index !== undefined && goesByTold(request, parent, index, now()) ? scopeOf({ request, signal }, parent, root, tally) : undefined;
    const base = scope?.entries ?? parent?.entries?.whole();
    if (index !== undefined && scope === undefined) sweep = await sweepOf(root, parent, { request, index, control });
    if (scope !== undefined) counts.addSame(scope.elsewhere);
    for (const change of rootChange(root, parent?.entries?.header, metadata)) emit({ type: 'change', ...change });
    const recall = sweep && parent?.entries && new Recall(parent.entries.whole().another(), sweep);
    const links = request.copyLinks ? new Links(root) : undefined;
    const steps = scope?.walk() ?? walk(root, { filter: compileFilter(request.filters), links, recall, emit: tally.emit, signal });
    const compared = compare(deletions.watch(tally.scanned(steps)), base, { ...trust, metadata, onRemoved });
    for (const step of resume(compared, pending?.sources ?? [], { ...trust, metadata })) {
      if (step.kind === 'pause') {
        await setImmediate();
        signal.throwIfAborted();
      }
      if (step.kind === 'same') counts.addSame(step.subtree);
      if (step.kind !== 'enter') continue;
      const { directory } = step;
      for (const change of changesOf(directory, { metadata, checksum: trust.checksum, imported: false }))
        emit({ type: 'change', ...change });
      counts.add(directory);
    }
  } finally {
    sweep?.close();
    parent?.entries?.close();
    await pending?.close();
  }
  const placed = ledger === undefined ? undefined : placements(ledger, request, counts.readBytes);
  const newShards = Math.ceil(counts.readBytes / request.shardBytes);
  const plan: Plan = {
    repository,
    parent: parent?.snapshot.cid ?? null,
    entries: counts.entries,
    newEntries: counts.newEntries,
    changedEntries: counts.changedEntries,
    metadataEntries: counts.metadataEntries,
    deletedEntries: deletions.removed,
    readFiles: counts.readFiles,
    readBytes: counts.readBytes,
    resumedFiles: counts.resumedFiles,
    newShards,
    peers: placed?.peers ?? [],
    lackingBytes: placed?.lackingBytes ?? 0,
    problems: { ...tally.problems },
  };
  emit({ type: 'plan', ...plan });
  if (deletions.excess !== undefined) throw deletions.excess;
  if (placed?.shortage !== undefined) throw placed.shortage;
  return plan;
}

interface Known {
  readonly parent: Parent | undefined;
  /** What interrupted runs have imported. */
  readonly pending: Pending | undefined;
}

const NOTHING: Known = { parent: undefined, pending: undefined };

/** What the run would start from, by the word of the peers. */
async function knownOf(
  { request, home, control }: PlannedRun,
  index: Index,
  silent: ReadonlyMap<string, string>,
  replication: Replication,
): Promise<Known> {
  const { repository, source, profile, metadata } = request;
  const { peers, pending } = home;
  const { emit, signal, now } = control;
  const usableShards = await UsableShards.load(index, peers, silent);
  const recorded = parentOf({ index, repository, profile, metadata, emit, usableShards });
  const { parent } = await doubtedParent({ repository, index, peers, emit, signal }, recorded, false);
  const usable = usableIn({ replication, peers }, usableShards, parent);
  const isRacy = isRacyAt(now());
  return { parent, pending: new Pending({ repository, source, profile, metadata, pending, index, usableShards, usable, parent, isRacy }) };
}

class Counts {
  entries = 0;
  newEntries = 0;
  changedEntries = 0;
  metadataEntries = 0;
  readFiles = 0;
  readBytes = 0;
  resumedFiles = 0;

  addSame({ files, directories, symlinks }: EntryCounts): void {
    this.entries += files + directories + symlinks;
  }

  add(directory: Directory): void {
    const { states, differences, kinds, sizes, count } = directory;
    for (let i = 0; i < count; i++) {
      const state = states[i];
      if (state === DROPPED) continue;
      this.entries++;
      if (state === NEW || ((differences?.[i] ?? 0) & KIND_DIFFERS) !== 0) this.newEntries++;
      // What differs of a directory itself is never its content.
      else if (state === METADATA || (state === CHANGED && kinds[i] === DIRECTORY)) this.metadataEntries++;
      else if (state === CHANGED) this.changedEntries++;
      if (kinds[i] !== FILE || (state !== NEW && state !== CHANGED)) continue;
      if (directory.isResumed(i)) {
        this.resumedFiles++;
        continue;
      }
      this.readFiles++;
      this.readBytes += sizes[i] as number;
    }
  }
}

interface Placements {
  readonly peers: Plan['peers'];
  readonly lackingBytes: number;
  /** Why the first shard that does not fit has no place. */
  readonly shortage: ShardctlError | undefined;
}

/** Free space now, and after shards of these bytes, allocated as a run would allocate them. */
function placements(ledger: Ledger, { shardBytes }: PlannedRun['request'], bytes: number): Placements {
  const { replication } = ledger;
  const before = ledger.freeBytes();
  const after = new Map(before);
  let lackingBytes = 0;
  let shortage: ShardctlError | undefined;
  for (let at = 0; at < bytes; at += shardBytes) {
    const size = Math.min(bytes - at, shardBytes);
    try {
      const names = ledger.allocate({ cid: `shard at ${at}`, bytes: size, replication });
      for (const name of names) after.set(name, (after.get(name) as number) - size);
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      shortage ??= error;
      lackingBytes += size;
    }
  }
  return {
    peers: [...before].map(([name, freeBefore]) => ({ name, freeBefore, freeAfter: after.get(name) as number })),
    lackingBytes,
    shortage,
  };
}
