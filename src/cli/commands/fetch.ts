/** `shardctl fetch SRC OUT`: a copy of a tree in a directory, from gateways, a `serve` or a home; and its updates. */
import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { displayText, displayUrl } from '../../core/display.ts';
import { EXIT, ShardctlError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { sha256 } from '../../dag/cid.ts';
import { profileNamed } from '../../dag/cid-profile.ts';
import { keyCidIn } from '../../dag/cid-text.ts';
import { directoryAt, type FetchOptions, fetchTree } from '../../fetch/fetch.ts';
import { GatewayShards } from '../../fetch/gateway-shards.ts';
import { OutDirectory, withRoom } from '../../fetch/out/out-directory.ts';
import { contentOf } from '../../gateway/content.ts';
import { Gateways } from '../../gateway/gateways.ts';
import { resolveSource } from '../../gateway/source.ts';
import { readSourceText, type SourceText } from '../../gateway/source-text.ts';
import { requireHome } from '../../home/home.ts';
import { acquireLock } from '../../home/lock.ts';
import { formatSize } from '../../home/sizes.ts';
import { compileFilter } from '../../update/scan/filter.ts';
import type { Context } from '../command-line/context.ts';
import { readFilters } from '../command-line/filter-rules.ts';
import { maxDeleteOf } from '../command-line/run-options.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { forOthersToo } from '../session/privacy.ts';
import { systemProcesses } from '../session/process-table.ts';
import { lockWaitMs, planning } from '../session/session.ts';
import { settingsIn } from '../session/settings.ts';
import { withTree } from '../steps/open-tree.ts';
import { OursLeftOut, refuseIntoOurs, refuseToEmptyOurs } from '../steps/our-places.ts';
import { withToken } from '../steps/source-token.ts';

type Fetched = Awaited<ReturnType<typeof fetchTree>>;
type Wish = Omit<FetchOptions, 'out' | 'root' | 'path' | 'blocks' | 'shards' | 'local' | 'totals' | 'isOwn'>;
type Found = Omit<FetchOptions, keyof Wish | 'out' | 'shards' | 'totals'> & {
  /** @param hasCopy whether a run came to its end in OUT */
  readonly shards: (hasCopy: boolean) => FetchOptions['shards'];
  /** Of the whole tree. */
  readonly totals: FetchOptions['totals'];
};

export async function run(context: Context): Promise<number> {
  const { args } = context;
  const [text, target] = [args.argument(0), args.argument(1)];
  const given = withToken(
    context,
    text,
    args.all('via').map(({ value }) => value),
  );
  refuseMistaken(text);
  const said = readSourceText(given.source);
  // A snapshot of this home needs no gateway.
  const source = said?.kind === 'cid' && said.gateway === undefined && given.via.length === 0 && hasSnapshots(context) ? undefined : said;
  return await copy(context, target, (wish) =>
    source === undefined ? fromHome(context, text, target, wish) : fromGateways(context, source, given.via, target, wish),
  );
}

/** For `get --delete`, which is a copy that is brought up to date, too. @param target OUT, as it was given */
export async function copyOfRef(context: Context, ref: string, target: string): Promise<number> {
  requireHome(context.home);
  return await copy(context, target, (wish) => fromHome(context, ref, target, wish));
}

async function copy(context: Context, target: string, fetching: (wish: Wish) => Promise<Fetched>): Promise<number> {
  const { args, absolute, reporter, signal, now } = context;
  const filters = readFilters(args, absolute);
  const filter = compileFilter(filters);
  const emit: Emit = (event) => reporter.event(event);
  const out = absolute(target);
  const config = (hasSnapshots(context) ? await settingsIn(context) : undefined) ?? { peers: [] };
  refuseIntoOurs(context, config, out);
  const ours = new OursLeftOut(context, config, out);
  const wish: Wish = {
    excludes: ours.with(filters.length === 0 ? undefined : (path, isDirectory) => filter.excludes(path, isDirectory)),
    filters: Buffer.from(sha256(Buffer.from(JSON.stringify([...filters, ...ours.names])))).toString('hex'),
    deletes: args.flag('delete'),
    maxDelete: maxDeleteOf(args),
    dryRun: args.flag('dry-run'),
    itemize: args.flag('itemize'),
    specialBits: args.flag('special-bits'),
    emit,
    signal,
  };
  // As for `get`: little is held, and much passes through.
  setFlagsFromString('--heap-growing-percent=400');
  // Each request under way hears of it.
  setMaxListeners(0, signal);
  if (wish.deletes && hasSnapshots(context))
    await planning(context, async ({ config, index }) => refuseToEmptyOurs(context, config, index, out));
  const started = now();
  const { summary, failure } = await fetching(wish);
  tell(context, target, summary, (now() - started) / 1000);
  if (failure !== undefined) throw failure;
  return EXIT.done;
}

async function fromGateways(context: Context, source: SourceText, via: readonly string[], target: string, wish: Wish): Promise<Fetched> {
  const { signal, now } = context;
  const onTrouble = (message: string) => wish.emit({ type: 'warning', message });
  const options = {
    signal,
    onDropped: (name: string, why: string) => onTrouble(`${name} is asked no more: ${why}`),
  };
  const { root, path, gateways: addresses } = await resolveSource(source, { ...options, via, now: now(), onTrusted: onTrouble });
  const gateways = new Gateways(addresses, options);
  try {
    const { tree, snapshot, shards, blocks } = await contentOf(gateways, root);
    const file = snapshot?.file;
    return await intoOut(context, target, wish, {
      ...{ root: tree, path, blocks, isOwn: false },
      shards: (hasCopy) =>
        snapshot === undefined ? undefined : new GatewayShards({ gateways, addresses, shards, newestFirst: hasCopy, onTrouble }),
      local: file === undefined ? undefined : { profile: profileNamed(file.profile), metadata: file.metadata },
      totals: file === undefined ? undefined : totalsOf(file),
    });
  } finally {
    gateways.close();
  }
}

async function fromHome(context: Context, text: string, target: string, wish: Wish): Promise<Fetched> {
  const ref = text.replace(/^\/?ipfs(\/|:\/\/)/, '');
  if (!hasSnapshots(context)) throw noHome(context, ref);
  return await withTree(context, ref, async ({ snapshot, root, path, blocks, shards, isOwn }) => {
    const local = { profile: profileNamed(snapshot.profile), metadata: snapshot.metadata };
    const found = { root, path, blocks, shards: () => shards, local, totals: totalsOf(snapshot), isOwn };
    return await intoOut(context, target, { ...wish, specialBits: wish.specialBits || isOwn }, found);
  });
}

/** OUT is made when it is known what comes there. A dry run makes nothing. */
async function intoOut(context: Context, to: string, wish: Wish, found: Found): Promise<Fetched> {
  const target = context.absolute(to);
  if (!existsSync(target)) await directoryAt(found.root, found.path, found.blocks);
  // Files and directories get the modes that any other program would give them, where the tree says none.
  forOthersToo(context);
  const out = wish.dryRun ? OutDirectory.toLookAt(target) : OutDirectory.open(target);
  const lock = wish.dryRun ? undefined : await lockOf(context, out);
  try {
    const hasCopy = existsSync(join(out.own, 'entries'));
    const totals = found.path === '' && !hasCopy ? found.totals : undefined;
    return await fetchTree({ ...wish, ...found, out, shards: found.shards(hasCopy), totals });
  } finally {
    lock?.release();
    out.close();
  }
}

function hasSnapshots({ home }: Context): boolean {
  return existsSync(home.config);
}

function noHome({ home }: Context, ref: string): ShardctlError {
  const shown = displayText(ref);
  return new ShardctlError('NOT_FOUND', `"${shown}" is neither a URL nor a CID, and there is no home at ${home.dir} that could have it`, {
    hint: `write http://host:8080/${shown} for what a \`serve\` gives, or a CID with --via URL, or name a home with --home`,
  });
}

/** What is meant for something else than a REF of a home. @throws ShardctlError `USAGE` */
function refuseMistaken(text: string): void {
  const shown = displayUrl(displayText(text));
  if (/^(https?|ipfs|ipns):\/\//i.test(text)) return;
  const [first = ''] = text.split('/', 1);
  const is = (what: string, hint: string) => new ShardctlError('USAGE', `"${shown}" is ${what}`, { hint });
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    throw is('no URL that fetch can read', 'write http://host:8080/NAME, the address of a `serve` or of a gateway');
  if (/:\d{1,5}$/.test(first)) throw is('a URL without its beginning', `write http://${shown}`);
  if (keyCidIn(first) !== undefined) throw is('a name of IPNS', `write /ipns/${shown}, with --via URL`);
}

function totalsOf({
  counts,
  bytes,
}: {
  readonly counts: { files: number; directories: number; symlinks: number };
  readonly bytes: number;
}) {
  return { entries: counts.files + counts.directories + counts.symlinks, bytes };
}

/** Two runs that bring one OUT up to date would undo what the other does. */
async function lockOf(context: Context, out: OutDirectory): Promise<{ release(): void }> {
  const { args, signal, now } = context;
  const lock = await acquireLock(join(out.own, 'lock'), {
    what: 'the copy',
    shown: (path) => out.shown(path),
    command: args.shown,
    waitMs: lockWaitMs(context),
    processes: systemProcesses(),
    now,
    signal,
  }).catch((error: unknown) => {
    throw error instanceof ShardctlError ? withRoom(error, out.path) : error;
  });
  context.onExit(() => lock.release());
  return lock;
}

function tell(context: Context, target: string, summary: Fetched['summary'], seconds: number): void {
  const { args, output, quiet, json, absolute } = context;
  const [out, dryRun] = [absolute(target), args.flag('dry-run')];
  if (args.flag('root-only') && !json) output.line(summary.tree);
  else if (!quiet || json) {
    answer(context, [{ type: 'fetched', out, dryRun, seconds, ...summary }], () => {
      const { changed, kept, copied, deleted, bytes } = summary;
      const rate = seconds > 0 && bytes > 0 ? `, ${formatSize(bytes / seconds)}/s` : '';
      const parts = [`${counted(changed, 'entry')} ${dryRun ? 'would come' : 'came'}`];
      if (copied > 0) parts.push(`${copied} of them from OUT itself`);
      if (deleted > 0) parts.push(`${deleted} ${dryRun ? 'would be' : deleted === 1 ? 'was' : 'were'} deleted`);
      parts.push(`${kept} ${kept === 1 ? 'was' : 'were'} there`);
      return [
        `${displayText(target)}: ${parts.join(', ')}; ${dryRun && bytes > 0 ? 'up to ' : ''}${formatSize(bytes)}, ${formatSeconds(seconds)}${dryRun ? '' : rate}`,
      ];
    });
  }
}
