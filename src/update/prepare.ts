/** The first steps of a run, before it is known whether there is anything to do. */
import { existsSync } from 'node:fs';
import { linuxCalls } from '../core/libc.ts';
import { openSource, type Source, type SourceRoot } from '../source/source.ts';
import { Ledger } from '../storing/allocate/ledger.ts';
import { UsableShards } from '../storing/usable-shards.ts';
import type { Doubt, DoubtedHead, DoubtedRun } from './doubted-head.ts';
import type { IngestRun } from './ingest-run.ts';
import { type Parent, parentOf } from './parent.ts';
import { type Sweep, sweep } from './scan/sweep.ts';

/** What a run starts from. */
export interface Start {
  /** Milliseconds since 1970: what is written later may look older than it is, see `scan/racy.ts`. */
  readonly at: number;
  /** The caller's to close. */
  readonly root: Source;
  /** There is no parent, or its root had other metadata. */
  readonly rootDiffers: boolean;
  readonly ledger: Ledger;
  readonly freeBefore: ReadonlyMap<string, number>;
  readonly usableShards: UsableShards;
  /** Its entries are the caller's to close. */
  readonly parent: Parent | undefined;
  /** Somebody doubts that the head is whole, and it is not known to be. */
  readonly doubt: Doubt | undefined;
  /** Undefined when nothing of the parent can be believed unseen. The caller's to close. */
  readonly sweep: Sweep | undefined;
}

/** @throws ShardctlError when the source, or too many peers, cannot be reached */
export async function begin(run: IngestRun): Promise<Start> {
  const at = run.now();
  const root = openSource(run.source, linuxCalls());
  try {
    return await beginAt(run, at, root);
  } catch (error) {
    root.close();
    throw error;
  }
}

async function beginAt(run: IngestRun, at: number, root: Source): Promise<Start> {
  const { index, emit } = run;
  const ledger = await Ledger.open(run);
  const freeBefore = ledger.freeBytes();
  const usableShards = await UsableShards.load(index, run.peers, ledger.silent());
  let parent = parentOf({ ...run, emit, usableShards });
  try {
    const looked = await doubtedParent(run, parent, true);
    parent = looked.parent;
    const rootDiffers = rootDiffersFrom(parent, root, run.metadata);
    return { at, root, rootDiffers, ledger, freeBefore, usableShards, ...looked, sweep: await sweepOf(run, root, parent) };
  } catch (error) {
    parent?.entries?.close();
    throw error;
  }
}

/** Nearly always nobody doubts, and then nothing is loaded. */
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

type Swept = Pick<IngestRun, 'index' | 'repository' | 'filters' | 'copyLinks' | 'trust' | 'metadata' | 'secondThread' | 'signal'>;

/** @returns undefined when nothing of the parent can be believed unseen: one that was made by other rules may hold what is excluded now */
export async function sweepOf(run: Swept, source: Source, parent: Parent | undefined): Promise<Sweep | undefined> {
  const { index, repository, filters, copyLinks, trust, metadata, secondThread, signal } = run;
  const before = index.repository(repository);
  const bySame = (before?.filters ?? []).join('\n') === filters.join('\n') && (before?.copyLinks ?? false) === copyLinks;
  if (parent?.entries === undefined || trust.checksum || !bySame) return undefined;
  // Loaded where they are needed alone: an update that finds nothing should be over before that.
  const filter = filters.length > 0 ? (await import('./scan/filter.ts')).compileFilter(filters) : undefined;
  const links = copyLinks ? new (await import('./scan/links.ts')).Links(source) : undefined;
  return await sweep({ entries: parent.entries, source, filters, filter, links, trust, metadata, secondThread, signal });
}
