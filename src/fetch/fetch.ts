/** `fetch`: makes OUT the tree, or brings it up to date: what OUT lacks is put together beside it, and comes to its place by renames. */
import { closeSync, lstatSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { displayPath } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { type Libc, loadLibc } from '../core/libc.ts';
import { type BlockId, type ByteString, DIRECTORY } from '../core/model.ts';
import { toBytes } from '../core/path-bytes.ts';
import { removeFileSync } from '../core/remove-file.ts';
import { cidText } from '../dag/cid.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { resolve, type TreeEntry } from '../read/tree/tree.ts';
import { Destination } from '../restore/destination.ts';
import { type GetOptions, get } from '../restore/get.ts';
import type { ShardAccess } from '../restore/shard-tables.ts';
import type { MaxDelete } from '../update/deletion-guard.ts';
import { changeOf, DELETED } from '../update/itemize.ts';
import { DryRun } from './dry-run.ts';
import { lackingError, leftBehindError, shownOf, unpublished } from './failures.ts';
import { KeptBlocks } from './kept-blocks.ts';
import { readEntries, saveEntries } from './known/entries-file.ts';
import { KnownEntries } from './known/known-entries.ts';
import type { OutDirectory } from './out/out-directory.ts';
import { OutLooks } from './out/out-looks.ts';
import { lookAt, placeIn } from './out/places.ts';
import { removeTree } from './out/removal.ts';
import { deletionsIn, refuseExcess } from './publish/deletions.ts';
import { LeftBehind } from './publish/left-behind.ts';
import { mayGoFrom, refuseToReplace } from './publish/make-way.ts';
import { refuseMounted } from './publish/mounts-ahead.ts';
import { movesOf } from './publish/moves.ts';
import { publish } from './publish/publish.ts';
import { TreeNames } from './publish/tree-names.ts';
import type { LocalRootOptions } from './reuse/local-root.ts';
import { Reuse, type ShardKnowledge } from './reuse/reuse.ts';

/** Entries that could not be had and are named. */
const MOST_NAMED = 10;

export interface FetchOptions {
  /** The tree. */
  readonly root: BlockId;
  /** Inside it; empty for all of it. */
  readonly path: ByteString;
  /** The directory that becomes that tree. */
  readonly out: OutDirectory;
  readonly blocks: Blocks;
  /** Undefined where nobody says which shards hold the tree. */
  readonly shards: (ShardAccess & ShardKnowledge) | undefined;
  /** How the tree was made; undefined when nobody says. */
  readonly local: LocalRootOptions | undefined;
  readonly totals: { readonly entries: number; readonly bytes: number } | undefined;
  /** Undefined where nothing is left out. */
  readonly excludes: ((path: ByteString, isDirectory: boolean) => boolean) | undefined;
  /** What that leaves out, as letters and digits: others mean that it may leave out something else. */
  readonly filters: string;
  /** Delete what the tree has not. */
  readonly deletes: boolean;
  readonly maxDelete: MaxDelete | undefined;
  readonly dryRun: boolean;
  readonly itemize: boolean;
  readonly specialBits: boolean;
  /** This home made the tree from a source of its own. */
  readonly isOwn: boolean;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface FetchSummary {
  /** CID of what OUT is now. */
  readonly tree: string;
  /** Entries that OUT had already. */
  readonly kept: number;
  /** Files that were copied within OUT. */
  readonly copied: number;
  /** Files and symlinks that are new or were changed. */
  readonly changed: number;
  readonly deleted: number;
  /** Entries that cannot be written into OUT, where it has still what it had. Package indexes stay as they were, too, then. */
  readonly unwritable: number;
  /** Bytes of files that came from elsewhere; of a dry run, of those that would come, though of some OUT may have a part. */
  readonly bytes: number;
}

/**
 * Nothing in OUT changes before everything that is lacking is there. The caller holds the lock of OUT.
 * @throws ShardctlError `USAGE` when the path leads to a file, `MAX_DELETE`, `DAMAGE`, `TOO_FEW_PEERS` when something cannot be had,
 * `NO_SPACE`, `IO`; a run again goes on
 * @returns also the error with which the command ends when OUT is not all that it should be: `NOT_WRITTEN`
 */
export async function fetchTree(given: FetchOptions): Promise<{ readonly summary: FetchSummary; readonly failure?: ShardctlError }> {
  const { out } = given;
  let unrestored = 0;
  const emit: Emit = (event) => {
    // Mostly all of them fail for the same reason, and the error at the end has their number.
    if (event.type !== 'not-restored' || ++unrestored <= MOST_NAMED) given.emit(out.shownIn(event));
  };
  try {
    const { summary, failure } = await fetchInto({ ...given, emit });
    return { summary, ...(failure === undefined ? {} : { failure: shownOf(failure, out) as ShardctlError }) };
  } catch (error) {
    throw shownOf(error, out);
  }
}

/** The directory that OUT is to become. @throws ShardctlError `USAGE` when it is none, `NOT_FOUND`, and what reading blocks throws */
export async function directoryAt(root: BlockId, path: ByteString, blocks: Blocks): Promise<TreeEntry> {
  const top = await resolve(root, path, blocks);
  if (top.kind === DIRECTORY) return top;
  throw new ShardctlError('USAGE', 'what is to be copied is a file or a symlink, and not a directory', {
    hint: 'name the directory in which it lies, and leave out the rest with --include and --exclude',
  });
}

async function fetchInto(given: FetchOptions): Promise<{ readonly summary: FetchSummary; readonly failure: ShardctlError | undefined }> {
  const { root, path, emit, dryRun, specialBits } = given;
  const blocks = new KeptBlocks(given.blocks);
  const options = { ...given, blocks };
  const top = await directoryAt(root, path, blocks);
  const { out } = options;
  const { own } = out;
  const [staging, aside] = [`${own}/new`, `${own}/old`];
  const libc = await loadLibc();
  const destination = new Destination({ libc, overwrite: true, specialBits, warn: (message) => emit({ type: 'warning', message }) });
  const noted = readEntries(own);
  // Bits that were withheld are found by hashing what is there: the mode is in the root.
  const known = specialBits && noted.told?.specialBits === false ? new KnownEntries() : noted;
  const resumes = !dryRun && lookAt(toBytes(staging)) !== undefined;
  const tree = cidText(top, 1);
  const isAsTold = known.tree === tree && known.told?.filters === options.filters;
  if (!isAsTold) await refuseExcessAhead(top, known, options);
  const looks = new OutLooks(out.top);
  try {
    await refuseMounted(top, { ...options, out: out.top, known, looks });
    blocks.close();
    const reuse = new Reuse({ ...options, looks, staging: toBytes(staging), known, destination, resumes });
    const { bytes, entries: came, isAll } = await restored(options, reuse, staging);
    const { deletions, gone, entries, mounted } = options.deletes
      ? deletionsIn(out.top, (at) => reuse.entries.has(at), options.excludes ?? (() => false))
      : { deletions: [], gone: 0, entries: 0, mounted: [] };
    refuseExcess(gone, entries, options.maxDelete);
    for (const at of mounted) emit({ type: 'warning', message: `"${displayPath(at)}" is another file system than OUT: it is not deleted` });
    const summary = {
      tree,
      kept: reuse.entries.kept,
      copied: reuse.copied,
      changed: came + reuse.ready,
      deleted: gone,
      unwritable: 0,
      bytes: bytes + reuse.readBytes,
    };
    if (dryRun) {
      if (options.itemize) for (const { path: at, kind } of deletions) emit({ type: 'change', ...changeOf(DELETED, at, kind) });
      return { summary, failure: undefined };
    }
    const comes = (at: ByteString) => reuse.staged.has(at);
    const moves = movesOf(toBytes(staging), out.top, comes, options.local?.metadata !== false, comes);
    refuseToReplace(out.top, moves.inOrder, ...mayGoFrom({ ...options, noted, looks }));
    // What is renamed into place must be what it says also after a power cut.
    if (moves.inOrder.length > 0) flush(own, libc);
    const from = timeIn(own);
    const behind = new LeftBehind(out, emit);
    if (!isAll) for (const at of reuse.staged) if (lookAt(placeIn(toBytes(staging), at)) === undefined) behind.isNotStaged(at);
    publish({ ...options, libc, staging: toBytes(staging), aside: toBytes(aside), moves, deletions, destination, behind });
    if (!reuse.entries.isAsKnown || !isAsTold || known.told?.specialBits !== specialBits) {
      const lacks = (at: ByteString) => behind.lacks(at);
      const { columns, directories } = reuse.entries.columns(looks, { from, to: timeIn(own), lacks });
      saveEntries(own, tree, options, columns, directories);
    }
    if (behind.first === undefined) {
      removeTree(toBytes(staging));
      return { summary, failure: undefined };
    }
    // What is left there is used by the next run.
    const [changed, deleted] = [summary.changed - behind.filesIn(toBytes(staging)), behind.holdsIndexes ? 0 : gone];
    return { summary: { ...summary, changed, deleted, unwritable: behind.unwritable }, failure: leftBehindError(behind, out) };
  } finally {
    looks.close();
  }
}

/** Before anything is downloaded: what cannot be read then is told of later. */
async function refuseExcessAhead(top: TreeEntry, known: KnownEntries, options: FetchOptions): Promise<void> {
  const { out, deletes, maxDelete, excludes = () => false, signal } = options;
  if (!deletes || maxDelete === undefined) return;
  const names = await TreeNames.read(top, { ...options, out: out.top, known }).catch((error: unknown) => {
    if (signal.aborted || !(error instanceof ShardctlError)) throw error;
    return undefined;
  });
  if (names === undefined) return;
  const { gone, entries } = deletionsIn(out.top, (at) => names.has(at), excludes);
  refuseExcess(gone, entries, maxDelete);
}

/** Puts together what OUT lacks. @returns files and symlinks that came, and their bytes; of a dry run, how many would come; whether all could be written */
async function restored(
  options: FetchOptions,
  reuse: Reuse,
  staging: string,
): Promise<{ readonly entries: number; readonly bytes: number; readonly isAll: boolean }> {
  const { root, path, out, blocks, shards, emit, signal, specialBits, isOwn, totals, dryRun } = options;
  const told = dryRun ? new DryRun(options) : undefined;
  const mustCome: GetOptions['mustCome'] = async (directory, links, failed) => {
    const coming = await reuse.mustCome(directory, links, failed);
    if (told !== undefined) return await told.descended(directory, links, coming, reuse);
    for (const { digest } of coming) await shards?.lookFor?.(digest);
    return coming;
  };
  const given = { root, path, blocks, shards, emit, signal, specialBits, isOwn, totals, mustCome, dryRun };
  const done = await get({ ...given, out: staging, overwrite: true, label: 'fetch' }).catch((error: unknown) => {
    throw signal.aborted ? error : unpublished(error, out);
  });
  const isFromHome = shards !== undefined && shards.lookFor === undefined;
  const isAll = done.failure === undefined;
  // What cannot be written is left behind.
  if (done.failure !== undefined && done.failure.code !== 'NOT_WRITTEN')
    throw lackingError(done, out, isFromHome) ?? unpublished(done.failure, out);
  if (reuse.entries.isEmpty && reuse.leftOut.count > 0)
    emit({
      type: 'warning',
      message:
        'the rules of --include and --exclude leave nothing of the tree; a rule for a directory matches only if those above it are included',
    });
  const came = told ?? { entries: done.files + done.symlinks, bytes: done.bytes };
  return { entries: came.entries, bytes: came.bytes, isAll };
}

/** Now, by the clock of the file system, which may be that of another machine. @param directory fetch's own */
function timeIn(directory: string): bigint {
  const path = `${directory}/time`;
  removeFileSync(path);
  writeFileSync(path, '', { flag: 'wx' });
  const { mtimeNs } = lstatSync(path, { bigint: true });
  unlinkSync(path);
  return mtimeNs;
}

function flush(directory: string, libc: Libc | undefined): void {
  const fd = openSync(directory, 'r');
  try {
    libc?.syncFilesystem?.(fd);
  } finally {
    closeSync(fd);
  }
}
