/** One tool takes a tree into an empty store, looks at it again, gives it back, and takes one file in a hundred that is new. Each result is checked before it counts. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import type { Command, Measure } from '../measure.ts';
import type { Run } from '../report.ts';
import { timedRun } from '../timed-run.ts';
import type { LeftOut, Tool } from '../tools.ts';
import { removeTree } from './remove-tree.ts';
import { differenceOf } from './same-tree.ts';

/** What can be measured, as a result calls it; which of these is, depends on the turn and the tool. */
export const PHASES = { first: 'add', nothing: 'nothing changed', back: 'get back', sample: '1 % new' } as const;

/** A result that is not what it must be: it is told, and not counted. */
export class WrongResult extends Error {
  override readonly name = 'WrongResult';
}

export interface Turn {
  readonly source: string;
  /** The name of entries that are no part of the tree, where there are any: each tool is told to leave them out. */
  readonly passedOver?: string | undefined;
  /** After the first one. */
  readonly phases: readonly Exclude<keyof typeof PHASES, 'first'>[];
  /** Paths of the files that are to be new. */
  readonly sample: readonly string[];
  /** Emptied before each store that is made. */
  readonly dest: string;
  readonly measure: Measure;
  readonly signal: AbortSignal;
  /** Roots that tools have given until now, which must be the same in each round. */
  readonly roots: Map<string, string>;
  /** Names of the tools whose root was compared with that of their twin. */
  readonly compared: Set<string>;
  /** Called before each run that counts. */
  readonly onRun?: (tool: string, phase: string) => void;
}

type TurnRun = Omit<Run, 'corpus' | 'round'>;

/** @throws WrongResult, and what `Measure` throws */
export async function takeTurn(tool: Tool, turn: Turn): Promise<readonly TurnRun[]> {
  const { source, phases, sample, dest, measure, signal } = turn;
  const [store, log] = [join(dest, 'store'), join(dest, 'log')];
  const without: LeftOut = { name: turn.passedOver };
  const runs: TurnRun[] = [];
  const timed = async (phase: string, command: Command) => {
    turn.onRun?.(tool.name, phase);
    const { cost, said } = await timedRun(tool, command, { measure, log, signal });
    const { root, ...stored } = said;
    if (root !== undefined) checkRoot(turn, tool, root);
    return { tool: tool.name, phase, ...cost, ...stored };
  };
  const untimed = (command: Command) => measure(command, log, signal);
  const back = async <T>(run: (command: Command) => Promise<T>): Promise<T | undefined> => {
    if (tool.back === undefined) return undefined;
    const { command, tree } = tool.back(source, store, join(dest, 'back'));
    const ran = await run(command);
    await checkTree(turn, tool, toBytes(tree));
    removeTree(join(dest, 'back'));
    return ran;
  };

  await emptied(turn, tool, store, untimed);
  runs.push(await timed(PHASES.first, tool.first(source, store, without)));
  await compareWithTwin(turn, tool, without, untimed);
  if (tool.incremental && phases.includes('nothing')) runs.push(await timed(PHASES.nothing, tool.again(source, store, without)));
  const got = phases.includes('back') ? await back((command) => timed(PHASES.back, command)) : undefined;
  if (got !== undefined) runs.push(got);

  if (tool.incremental && phases.includes('sample')) {
    await emptied(turn, tool, store, untimed);
    await untimed(tool.first(source, store, { ...without, lists: listsOf(sample, source, dest) }));
    runs.push(await timed(PHASES.sample, tool.first(source, store, without)));
    // Of a tool without a root, what it gives back is all there is to check.
    if (tool.said === undefined) await back(untimed);
  }
  return runs;
}

async function emptied({ dest }: Turn, tool: Tool, store: string, untimed: (command: Command) => Promise<unknown>): Promise<void> {
  removeTree(dest);
  mkdirSync(store, { recursive: true });
  if (tool.prepare !== undefined) await untimed(tool.prepare(store));
}

/** Once is enough, as roots must stay the same. */
async function compareWithTwin(turn: Turn, tool: Tool, without: LeftOut, untimed: (command: Command) => Promise<unknown>): Promise<void> {
  if (tool.twin === undefined || turn.compared.has(tool.name)) return;
  const store = join(turn.dest, 'twin');
  await untimed(tool.twin.command(turn.source, store, without));
  removeTree(store);
  checkRoot(turn, tool, tool.twin.root(readFileSync(join(turn.dest, 'log'), 'utf8')));
  turn.compared.add(tool.name);
}

function listsOf(sample: readonly string[], source: string, dest: string): LeftOut['lists'] {
  const lists = { rules: join(dest, 'rules'), paths: join(dest, 'paths') };
  writeFileSync(lists.rules, sample.map((path) => `/${path}\n`).join(''));
  writeFileSync(lists.paths, sample.map((path) => `${join(source, path)}\n`).join(''));
  return lists;
}

function checkRoot({ roots }: Turn, tool: Tool, root: string): void {
  const before = roots.get(tool.name);
  if (before !== undefined && before !== root) throw new WrongResult(`${tool.name} made another root than before: ${root}, not ${before}`);
  roots.set(tool.name, root);
}

async function checkTree({ source, passedOver, signal }: Turn, tool: Tool, tree: ByteString): Promise<void> {
  const difference = await differenceOf(toBytes(source), tree, signal, passedOver);
  if (difference !== undefined) throw new WrongResult(`what ${tool.name} gives back differs from the mirror: ${difference}`);
}
