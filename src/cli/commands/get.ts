/** `shardctl get REF[/PATH]… -o OUT`: write trees or files back, with their modes and times; or to stdout. */
import { setFlagsFromString } from 'node:v8';
import { EXIT, type ShardctlError, worstOf } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import type { SnapshotRecord } from '../../core/model.ts';
import type { TarPart } from '../../exchange/tree-tar/tree-tar.ts';
import { LeftOut } from '../../fetch/reuse/left-out.ts';
import { formatSize } from '../../home/sizes.ts';
import { resolve } from '../../read/tree/tree.ts';
import { type GetOptions, type GetSummary, get, refuseTaken } from '../../restore/get.ts';
import { compileFilter } from '../../update/scan/filter.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { readFilters } from '../command-line/filter-rules.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { forOthersToo } from '../session/privacy.ts';
import { type GetPlace, placesOf } from '../steps/get-places.ts';
import { toStdout } from '../steps/get-to-stdout.ts';
import { withTrees } from '../steps/open-tree.ts';
import { OursLeftOut, refuseIntoOurs } from '../steps/our-places.ts';

type Excludes = NonNullable<TarPart['excludes']>;

export async function run(context: Context): Promise<number> {
  const { args, absolute } = context;
  const target = args.text('output');
  if (target === undefined || target === '') throw usage('--output OUT is missing', args.command);
  if (args.flag('delete')) return await upToDate(context, target);
  refuseWithoutDelete(args);
  const rules = readFilters(args, absolute);
  const filter = compileFilter(rules);
  const excludes: Excludes | undefined = rules.length === 0 ? undefined : (path, isDirectory) => filter.excludes(path, isDirectory);
  collectLess();
  return await withTrees(context, args.positionals, async (trees, config) => {
    if (target === '-') return await toStdout(context, trees, excludes);
    forOthersToo(context);
    const failures: ShardctlError[] = [];
    const places = await placesOf(trees, target, absolute);
    // Nothing is written before it is known that all of it may be.
    for (const { out } of places) refuseIntoOurs(context, config, out);
    if (places.length > 1 && !args.flag('overwrite')) await refuseAnyTaken(places);
    for (const place of places) {
      const { failure } = await restore(context, place, new OursLeftOut(context, config, place.out).with(excludes));
      if (failure !== undefined) failures.push(failure);
    }
    const worst = worstOf(failures.map(({ exitCode }) => exitCode));
    const failure = failures.find(({ exitCode }) => exitCode === worst);
    if (failure !== undefined) throw failure;
    return EXIT.done;
  });
}

/** What is not in the tree goes: that is a copy as `fetch` makes it, with its guard, and with what it knows of OUT. */
async function upToDate(context: Context, target: string): Promise<number> {
  const { args } = context;
  if (args.positionals.length > 1 || target === '-')
    throw usage('--delete goes with one REF, and with an OUT that is a directory', args.command);
  // Without --delete the directory would go into OUT; with it, all else in OUT would have to go.
  if (target.endsWith('/') && /[^/]\/+[^/]/.test(args.argument(0)))
    throw usage('with --delete OUT becomes the directory itself: name it without a slash at its end', args.command);
  const { copyOfRef } = await import('./fetch.ts');
  return await copyOfRef(context, args.argument(0), target);
}

function refuseWithoutDelete(args: Args): void {
  const lone = (['max-delete', 'dry-run', 'lock-wait'] as const).find((name) => args.isTyped(name));
  if (lone !== undefined) throw usage(`--${lone} goes with --delete`, args.command);
}

async function refuseAnyTaken(places: readonly GetPlace[]): Promise<void> {
  for (const { tree, out } of places) refuseTaken(out, tree.path, (await resolve(tree.root, tree.path, tree.blocks)).kind);
}

async function restore(context: Context, { tree, out, shown }: GetPlace, excludes: Excludes | undefined): Promise<GetSummary> {
  const { args, now, reporter, signal, output } = context;
  const { snapshot, root, path, blocks, shards, isOwn } = tree;
  const started = now();
  const emit: Emit = (event) => reporter.event(event);
  const leftOut = excludes === undefined ? undefined : new LeftOut({ excludes, blocks, kindOf: () => undefined });
  const done = await get({
    ...{ root, path, out, blocks, shards, emit, signal, isOwn },
    overwrite: args.flag('overwrite'),
    specialBits: isOwn || args.flag('special-bits'),
    mustCome: leftOut && ((directory, links, failed) => leftOut.others(directory, links, failed)),
    totals: path === '' && excludes === undefined ? totalsOf(snapshot) : undefined,
  });
  const seconds = (now() - started) / 1000;
  const { files, directories, symlinks, bytes, problems } = done;
  if (args.flag('root-only') && !context.json) output.line(snapshot.tree);
  if (!context.quiet || context.json) {
    answer(context, [{ type: 'restored', out, files, directories, symlinks, bytes, problems, seconds }], () => {
      const rate = seconds > 0 ? `, ${formatSize(bytes / seconds)}/s` : '';
      const what = `${counted(files, 'file')}, ${counted(directories, 'directory')}, ${counted(symlinks, 'symlink')}, ${formatSize(bytes)}`;
      return [`${what} in ${shown}, ${formatSeconds(seconds)}${rate}`];
    });
  }
  return done;
}

function totalsOf({ counts, bytes }: SnapshotRecord): NonNullable<GetOptions['totals']> {
  return { entries: counts.files + counts.directories + counts.symlinks, bytes };
}

/**
 * Lets garbage grow to several times what is in use before it is collected. For commands that hold little and through which much
 * passes: V8 goes by the small heap, and looks for garbage every eight megabytes that come over a connection. Measured for `get` of
 * 280 MB in 10,000 files from a Kubo: 37 collections and 2.8 s of processor time without, 7 and 2.2 s with it, for 30 MB more.
 */
function collectLess(): void {
  setFlagsFromString('--heap-growing-percent=400');
}
