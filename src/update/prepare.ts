/** The first steps of a run: they find out what it starts from, and sweep the source for differences. */
import { existsSync } from 'node:fs';
import { linuxCalls } from '../core/libc.ts';
import type { Index } from '../index/index.ts';
import { openSource, type Source, type SourceRoot } from '../source/source.ts';
import { Ledger } from '../storing/allocate/ledger.ts';
import { UsableShards } from '../storing/usable-shards.ts';
import type { Doubt, DoubtedHead, DoubtedRun } from './doubted-head.ts';
import type { ImportRequest, IngestControl, IngestRun } from './ingest-run.ts';
import { type Parent, parentOf } from './parent.ts';
import { type Sweep, sweep } from './scan/sweep.ts';

/** What a run starts from. */
export interface Start {
  /** When the run began, in milliseconds since 1970. A file that is written in the same tick of the clock may keep its ctime: `scan/racy.ts`. */
  readonly at: number;
  /** The caller closes it. */
  readonly root: Source;
  /** There is no parent, or its root had other metadata. */
  readonly rootDiffers: boolean;
  readonly ledger: Ledger;
  readonly freeBefore: ReadonlyMap<string, number>;
  readonly usableShards: UsableShards;
  /** The caller closes its entries. */
  readonly parent: Parent | undefined;
  /** There while the index has a note that the head may not be whole, and this has not been refuted. */
  readonly doubt: Doubt | undefined;
  /** Undefined when the sweep is of no use, as every entry has to be compared, or as only some are looked at. The caller closes it. */
  readonly sweep: Sweep | undefined;
  /** Only what the run was told is looked at. */
  readonly isTold: boolean;
}

/** @throws ShardctlError when the source, or too many peers, cannot be reached */
export async function begin(run: IngestRun): Promise<Start> {
  const at = run.control.now();
  // A run that looks at a few entries takes longer to load koffi than it saves.
  const root = openSource(run.request.source, mayGoByTold(run.request, run.home.index, at) ? undefined : linuxCalls());
  try {
    return await beginAt(run, at, root);
  } catch (error) {
    root.close();
    throw error;
  }
}

async function beginAt(run: IngestRun, at: number, root: Source): Promise<Start> {
  const { request, home, control } = run;
  const { index, peers } = home;
  const { emit, signal, now, grace } = control;
  const { repository, profile, metadata, replication, allocateBy } = request;
  const ledger = await Ledger.open({ peers, replication, allocateBy, emit, now, grace, mayDoWithFewer: true });
  const freeBefore = ledger.freeBytes();
  const usableShards = await UsableShards.load(index, peers, ledger.silent());
  let parent = parentOf({ index, repository, profile, metadata, emit, usableShards });
  try {
    const looked = await doubtedParent({ repository, index, peers, emit, signal }, parent, true);
    parent = looked.parent;
    const rootDiffers = rootDiffersFrom(parent, root, metadata);
    const isTold = goesByTold(request, parent, index, at);
    const sweep = isTold ? undefined : await sweepOf(root, parent, { request, index, control });
    return { at, root, rootDiffers, ledger, freeBefore, usableShards, ...looked, sweep, isTold };
  } catch (error) {
    parent?.entries?.close();
    throw error;
  }
}

/** Looks through a head that is in doubt. Nearly always none is, and then no further module is loaded. */
export async function doubtedParent(run: DoubtedRun, parent: Parent | undefined, mayWrite: boolean): Promise<DoubtedHead> {
  if (!existsSync(run.index.doubtOf(run.repository))) return { parent, doubt: undefined };
  const { lookAgain } = await import('./doubted-head.ts');
  return await lookAgain(run, parent, mayWrite);
}

function rootDiffersFrom(parent: Parent | undefined, root: SourceRoot, metadata: boolean): boolean {
  const before = parent?.entries?.header;
  if (before === undefined) return true;
  return metadata && (before.rootMode !== root.mode || before.rootMtime !== BigInt.asIntN(64, root.mtimeNs));
}

/** Whether this run looks at what it was told alone. */
export function goesByTold(request: Telling, parent: Parent | undefined, index: Index, now: number): boolean {
  return parent?.entries !== undefined && mayGoByTold(request, index, now);
}

/** Not when every file is to be read, the rules are others now, or it is time to look at everything again. */
function mayGoByTold({ told, fullEvery, trust, ...request }: Telling, index: Index, now: number): boolean {
  if (told === undefined || trust.checksum || !bySameRules(request, index)) return false;
  const since = fullEvery === undefined ? undefined : index.entries.toldSince(request.repository);
  return since === undefined || now - since < (fullEvery as number);
}

type Telling = Pick<ImportRequest, 'told' | 'fullEvery'> & Sweeping['request'];

function bySameRules({ repository, filters, copyLinks }: Omit<Sweeping['request'], 'trust'>, index: Index): boolean {
  const before = index.repository(repository);
  return (before?.filters ?? []).join('\n') === filters.join('\n') && (before?.copyLinks ?? false) === copyLinks;
}

interface Sweeping {
  readonly request: Pick<ImportRequest, 'repository' | 'filters' | 'copyLinks' | 'trust' | 'metadata'>;
  readonly index: Index;
  readonly control: Pick<IngestControl, 'secondThread' | 'signal'>;
}

/** @returns undefined when every entry has to be looked at by `compare`: a parent that was made by other rules may hold what they exclude now */
export async function sweepOf(
  source: Source,
  parent: Parent | undefined,
  { request, index, control }: Sweeping,
): Promise<Sweep | undefined> {
  const { filters, copyLinks, trust, metadata } = request;
  if (parent?.entries === undefined || trust.checksum || !bySameRules(request, index)) return undefined;
  // Loaded only where they are needed: an update that finds nothing should end before that.
  const filter = filters.length > 0 ? (await import('./scan/filter.ts')).compileFilter(filters) : undefined;
  const links = copyLinks ? new (await import('./scan/links.ts')).Links(source) : undefined;
  const { secondThread, signal } = control;
  return await sweep({ entries: parent.entries.whole(), source, filters, filter, links, trust, metadata, secondThread, signal });
}
