/** `shardctl bench DIR`: what shardctl and the tools of today take for this mirror. Nothing is written to DIR, to the user's home or to peers. */
import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { freeBytesIn } from '../../core/disk-space.ts';
import { displayText } from '../../core/display.ts';
import { EXIT, ioError, messageOf, ShardctlError } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { formatSize } from '../../home/sizes.ts';
import { machineOf } from '../../measure/machine.ts';
import { CommandFailure, measurer } from '../../measure/measure.ts';
import { benchMirror } from '../../measure/mirror/mirror-bench.ts';
import { removeTree } from '../../measure/mirror/remove-tree.ts';
import { type Survey, surveyOf, warm } from '../../measure/mirror/survey.ts';
import { PHASES, WrongResult } from '../../measure/mirror/turn.ts';
import { treeOf } from '../../measure/process-tree.ts';
import type { Report } from '../../measure/report.ts';
import { ipfs, present, RESTIC, RSYNC, shardctl, type Tool } from '../../measure/tools.ts';
import { sourceError, statSource } from '../../source/source.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import type { ExitLine } from '../reporter/reporter.ts';
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
  const source = realpathSync(absolute(args.argument(0)));
  const place = placeOf(context, source);
  const warning = (message: string) => reporter.event({ type: 'warning', message });
  const versions = present(all, names, warning);
  const tools = all.filter(({ name }) => name in versions);

  const survey = await reading(source, signal, surveyOf);
  checkRoom(place, survey);
  const machine = machineOf(place, process.version);
  const dest = mkdtempSync(join(place, 'shardctl-bench-'));
  context.onExit(() => removeNow(dest));
  let report: Report;
  try {
    await reading(source, signal, warm);
    const onRun = turnsOf(tools.length * rounds, (label, done, total) =>
      reporter.event({ type: 'progress', label, done, total, bytes: 0 }),
    );
    report = await benchMirror({
      ...{ source, name: basename(source) || 'root', survey, tools, versions, rounds, dest, machine, signal },
      measure: measurer({ env: ownEnvironment(process.env), kill: process.kill.bind(process) }),
      time: new Date(context.now()),
      onRun,
      onLeftOut: (tool, why) => warning(`${tool} is left out: ${whyOf(why)}`),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error, dest);
  } finally {
    removeTree(dest);
  }
  const page = args.text('html');
  if (page !== undefined) await writePage(context, absolute(page), report);
  answer(context, [{ type: 'benched', ...report }], () => benchedLines(report, output.columns));
  return EXIT.done;
}

/** The pictures need a library that no other command loads. */
async function writePage(context: Context, path: string, report: Report): Promise<void> {
  const { pageOf } = await import('../../measure/page/page.ts');
  try {
    asUser(context, () => writeFileSync(path, pageOf(report)));
  } catch (error) {
    throw ioError(error, 'writing the page', path);
  }
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
  statSource(toBytes(dest));
  for (const [name, path] of [
    ['dest', dest],
    ['html', args.text('html') === undefined ? undefined : absolute(args.text('html') as string)],
  ] as const) {
    if (path === undefined || !isIn(source, path)) continue;
    throw new ShardctlError('USAGE', `--${name} ${shown(path)} is in the mirror, which is only read`, { hint: 'name a place elsewhere' });
  }
  return dest;
}

function checkRoom(dest: string, { roomBytes }: Survey): void {
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
async function reading<T>(source: string, signal: AbortSignal, read: (dir: ByteString, signal: AbortSignal) => Promise<T>): Promise<T> {
  const dir = toBytes(source);
  return await read(dir, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw sourceError(dir, error);
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
  removeTree(dest);
}

/** In one line. */
function whyOf(error: unknown): string {
  if (!(error instanceof CommandFailure)) return displayText(messageOf(error));
  const said = saidAtItsEnd(error.lastLine);
  return `exit code ${error.code}${said === '' ? '' : `: ${displayText(said)}`}`;
}

/** shardctl tells it as JSON. */
function saidAtItsEnd(line: string): string {
  if (!line.startsWith('{"type":"exit"')) return line;
  return (JSON.parse(line) as ExitLine).error?.message ?? '';
}

function failureOf(error: unknown, dest: string): unknown {
  if (error instanceof ShardctlError) return error;
  if (error instanceof WrongResult)
    return new ShardctlError('DAMAGE', whyOf(error), {
      hint: 'if the mirror has changed meanwhile, run it again while no sync goes on',
    });
  if (error instanceof CommandFailure)
    return new ShardctlError('IO', `shardctl ended with ${whyOf(error)}`, {
      cause: error,
    });
  return ioError(error, 'measuring', dest);
}
