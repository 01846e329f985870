/** `shardctl bench DIR`: what shardctl and the tools of today take for this mirror. Nothing is written to DIR, to the user's home or to peers. */
import { mkdtempSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { freeBytesIn } from '../../core/disk-space.ts';
import { shellWord } from '../../core/display.ts';
import { EXIT, ioError, ShardctlError } from '../../core/errors.ts';
import { FETCH_DIRECTORY } from '../../core/fetch-directory.ts';
import { probeBeside, replaceFileSync } from '../../core/fresh-file.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { formatSize } from '../../home/sizes.ts';
import { machineOf } from '../../measure/machine.ts';
import { measurer } from '../../measure/measure.ts';
import { type Census, censusOf, warm, whyNothingNew } from '../../measure/mirror/census.ts';
import { benchMirror } from '../../measure/mirror/mirror-bench.ts';
import { removeTree } from '../../measure/mirror/remove-tree.ts';
import { PHASES } from '../../measure/mirror/turn.ts';
import { treeOf } from '../../measure/process-tree.ts';
import type { Report } from '../../measure/report.ts';
import { ipfs, present, RESTIC, RSYNC, shardctl, type Tool } from '../../measure/tools.ts';
import { sourceError, statSource } from '../../source/source.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { failureOf, whyOf } from '../results/bench-failure.ts';
import { benchedLines } from '../results/benched.ts';
import { answer } from '../results/results.ts';
import { asUser } from '../session/privacy.ts';
import { shown } from '../steps/our-places.ts';
import { isIn } from '../steps/paths-in.ts';

/** Of a mirror, and what it becomes: a store, and the tree that comes back from it. */
const COPIES = 2;
/** Homes, lists and what a file system keeps for itself. */
const ALSO_BYTES = 64 * 1024 * 1024;
/** Settings of these programs would change what is measured, or where it is written. */
const THEIR_SETTINGS = /^(SHARDCTL|RESTIC|RSYNC|IPFS)_/;

export async function run(context: Context): Promise<number> {
  const { args, absolute, signal, reporter, output } = context;
  if (process.platform !== 'linux') throw usage('bench reads /proc, which only Linux has', args.command);
  const rounds = roundsOf(args);
  const argv = [process.execPath, process.argv[1] as string] as const;
  const all: readonly Tool[] = [shardctl(argv), RSYNC, RESTIC, ipfs('ipfs', { twin: argv })];
  const names = toolsOf(args, all);
  statSource(toBytes(absolute(args.argument(0))));
  const source = realPathOf(absolute(args.argument(0)));
  const place = placeOf(context, source);
  const page = pageFor(context, source);
  const warning = (message: string) => reporter.event({ type: 'warning', message });
  const versions = present(all, names, warning);
  const tools = all.filter(({ name }) => name in versions);

  const census = await readMirror(source, signal, () => censusOf(source, FETCH_DIRECTORY, signal));
  checkRoom(place, census);
  if (census.hasPassedOver) warning(`${FETCH_DIRECTORY} is left out: what \`fetch\` keeps of its copies is no part of a mirror`);
  const noneNew = whyNothingNew(census, source);
  if (noneNew !== undefined) warning(`"${PHASES.sample}" is not measured: ${noneNew}`);
  const machine = machineOf(place, process.version);
  const dest = directoryIn(place);
  context.onExit(() => removeNow(dest));
  // The programs are in process groups of their own, which a terminal that closes does not tell.
  process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'));
  let report: Report;
  try {
    await readMirror(source, signal, () => warm(source, signal));
    const onRun = turnsOf(tools.length * rounds, (label, done, total) =>
      reporter.event({ type: 'progress', label, done, total, bytes: 0 }),
    );
    report = await benchMirror({
      ...{ source, name: basename(source) || 'root', census, tools, versions, rounds, dest, machine, signal },
      hasNew: noneNew === undefined,
      passedOver: census.hasPassedOver ? FETCH_DIRECTORY : undefined,
      measure: measurer({ env: ownEnvironment(process.env), kill: process.kill.bind(process) }),
      time: new Date(context.now()),
      onRun,
      onLeftOut: (tool, why) => warning(`${tool} is left out: ${whyOf(why)}`),
    });
  } catch (error) {
    signal.throwIfAborted();
    const failure = failureOf(error, source, dest);
    if (failure instanceof Error) throw failure;
    reporter.event({ type: 'warning', ...failure.warning });
    return failure.code;
  } finally {
    removeTree(dest);
  }
  answer(context, [{ type: 'benched', ...report }], () => benchedLines(report, output.columns));
  if (page !== undefined) await writePage(context, page, report);
  return EXIT.done;
}

/** The pictures need a library that no other command loads. */
async function writePage(context: Context, path: string, report: Report): Promise<void> {
  const { pageOf } = await import('../../measure/page/page.ts');
  const text = pageOf(report);
  // What is at the path makes way for the page: it may have other names, one of them in the mirror.
  writingPage(context, path, () => replaceFileSync(path, text, true));
}

/** @throws ShardctlError where the page cannot be written: before anything is measured */
function pageFor(context: Context, source: string): string | undefined {
  const { args, absolute } = context;
  if (args.text('html') === undefined) return undefined;
  const path = absolute(args.text('html') as string);
  assertOutside(source, 'html', path);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new ShardctlError('USAGE', `--html ${shown(path)} is a directory`, {
      hint: `name a file, such as ${shellWord(join(path, 'bench.html'))}`,
    });
  writingPage(context, path, () => probeBeside(path));
  return path;
}

function writingPage(context: Context, path: string, write: () => void): void {
  try {
    asUser(context, write);
  } catch (error) {
    throw ioError(error, 'writing the page', path);
  }
}

/** @throws ShardctlError where it has no name that all of the programs could be told */
function realPathOf(path: string): string {
  // The other one goes through strings of UTF-8, whatever it is to give.
  const real = realpathSync.native(path, 'buffer');
  if (Buffer.from(real.toString()).equals(real)) return real.toString();
  throw new ShardctlError('USAGE', `${shown(path)} leads to a directory whose path is not UTF-8`, {
    hint: 'rename it, or mount it with `mount --bind` where the path is UTF-8, and name that place',
  });
}

function roundsOf(args: Args): number {
  const text = args.text('rounds') ?? '3';
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw usage(`--rounds "${text}" is not a number from 1`, args.command);
}

/** @returns shardctl, and those that it is compared with */
function toolsOf(args: Args, [ours, ...others]: readonly Tool[]): readonly string[] {
  const known = others.map(({ name }) => name);
  const names = (args.text('tools') ?? known.join()).split(',').filter((name) => name !== 'none');
  const wrong = names.find((name) => !known.includes(name));
  if (wrong !== undefined) throw usage(`--tools "${wrong}" is none of ${known.join(', ')}, or none`, args.command);
  return [(ours as Tool).name, ...names];
}

/** @throws ShardctlError when that is none to write to: the mirror is only read */
function placeOf({ args, absolute }: Context, source: string): string {
  const dest = absolute(args.text('dest') ?? tmpdir());
  if (statSync(dest, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new ShardctlError('USAGE', `stores are made in ${shown(dest)} (--dest), which is no directory`, {
      hint: `make it with \`mkdir -p ${shellWord(dest)}\`, or name another one`,
    });
  assertOutside(source, 'dest', dest);
  return dest;
}

function assertOutside(source: string, name: string, path: string): void {
  if (!isIn(source, path)) return;
  throw new ShardctlError('USAGE', `--${name} ${shown(path)} is in the mirror, which is only read`, { hint: 'name a place elsewhere' });
}

function directoryIn(place: string): string {
  try {
    return mkdtempSync(join(place, 'shardctl-bench-'));
  } catch (error) {
    throw ioError(error, 'making a directory for the stores', place);
  }
}

function checkRoom(dest: string, { roomBytes }: Census): void {
  const [needed, free] = [COPIES * roomBytes + ALSO_BYTES, freeBytesIn(dest)];
  if (needed <= free) return;
  throw new ShardctlError('NO_SPACE', `the bench needs ${formatSize(needed)} in ${shown(dest)}, and ${formatSize(free)} are free`, {
    hint: 'name a larger place with --dest, or a part of the mirror as DIR',
    path: dest,
  });
}

function ownEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !THEIR_SETTINGS.test(name)));
}

/** Tells of each run in which turn it is. */
function turnsOf(total: number, tell: (label: string, done: number, total: number) => void): (tool: string, phase: string) => void {
  let turn = 0;
  return (tool, phase) => {
    if (phase === PHASES.first) turn++;
    tell(`${tool}, ${phase}: turn`, turn, total);
  };
}

/** What cannot be read is the mirror's. */
async function readMirror<T>(source: string, signal: AbortSignal, read: () => Promise<T>): Promise<T> {
  return await read().catch((error: unknown) => {
    signal.throwIfAborted();
    throw sourceError(toBytes(source), error);
  });
}

/** For a process that ends at once: what it has started must write no more. */
function removeNow(dest: string): void {
  for (const pid of treeOf(process.pid).slice(1)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
  try {
    removeTree(dest);
  } catch {
    // It is too late to tell.
  }
}
