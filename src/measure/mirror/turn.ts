/** One tool takes a mirror into an empty store, looks at it again, gives it back, and takes one file in a hundred that is new. Each result is checked before it counts. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import type { Command, Measure } from '../measure.ts';
import type { Run } from '../report.ts';
import type { LeftOut, Tool } from '../tools.ts';
import { removeTree } from './remove-tree.ts';
import { differenceOf } from './same-tree.ts';
import { isPlain, type Survey } from './survey.ts';

export const PHASES = { first: 'add', nothing: 'nothing changed', back: 'get back', sample: '1 % new' } as const;

/** A result that is not what it must be: it is told, and not counted. */
export class WrongResult extends Error {
  override readonly name = 'WrongResult';
}

export interface Place {
  readonly source: string;
  readonly survey: Survey;
  /** Emptied before each store that is made. */
  readonly dest: string;
  readonly measure: Measure;
  readonly signal: AbortSignal;
  /** Roots that tools have given until now, by what must be the same: of other rounds, too. */
  readonly roots: Map<string, string>;
  /** Called before each run. */
  readonly onRun: (tool: string, phase: string) => void;
}

type Measured = Omit<Run, 'corpus' | 'round'>;

/** @throws WrongResult, and what `Measure` throws */
export async function takeTurn(tool: Tool, place: Place): Promise<readonly Measured[]> {
  const { source, survey, dest } = place;
  const store = join(dest, 'store');
  const runs: Measured[] = [];
  const timed = async (phase: string, command: Command) => {
    place.onRun(tool.name, phase);
    // What an earlier run left for the kernel to write must not be written at this one's expense.
    spawnSync('sync');
    const cost = await place.measure(command, join(dest, 'log'), place.signal);
    const { root, ...stored } = tool.said?.(readFileSync(join(dest, 'log'), 'utf8')) ?? {};
    if (root !== undefined) checkRoot(place, tool, root);
    return { tool: tool.name, phase, ...cost, ...stored };
  };
  const untimed = (command: Command) => place.measure(command, join(dest, 'log'), place.signal);
  const back = async (phase: string) => {
    if (tool.back === undefined) return undefined;
    const { command, tree } = tool.back(source, store, join(dest, 'back'));
    const run = await timed(phase, command);
    await checkTree(place, tool, toBytes(tree));
    removeTree(join(dest, 'back'));
    return run;
  };

  await emptied(place, tool, store, untimed);
  const first = await timed(PHASES.first, tool.first(source, store));
  if (tool.twin !== undefined && !place.roots.has(twinOf(tool))) {
    await untimed(tool.twin.command(source, join(dest, 'twin')));
    removeTree(join(dest, 'twin'));
    const root = tool.twin.root(readFileSync(join(dest, 'log'), 'utf8'));
    checkRoot(place, tool, root);
    place.roots.set(twinOf(tool), root);
  }
  runs.push(first);
  if (tool.incremental) runs.push(await timed(PHASES.nothing, tool.again(source, store)));
  const got = await back(PHASES.back);
  if (got !== undefined) runs.push(got);

  if (tool.incremental && hasSample(survey, source)) {
    await emptied(place, tool, store, untimed);
    await untimed(tool.first(source, store, sampleOf(survey, source, dest)));
    const run = await timed(PHASES.sample, tool.first(source, store));
    if (tool.said === undefined) await back(PHASES.back);
    runs.push(run);
  }
  return runs;
}

async function emptied(place: Place, tool: Tool, store: string, untimed: (command: Command) => Promise<unknown>): Promise<void> {
  removeTree(place.dest);
  mkdirSync(store, { recursive: true });
  if (tool.prepare !== undefined) await untimed(tool.prepare(store));
}

/** Nothing in the mirror may be changed: what is to be new is left out of what the tool is given first. */
function hasSample({ sample, files }: Survey, source: string): boolean {
  return sample.length > 0 && sample.length < files && isPlain(source);
}

function sampleOf({ sample }: Survey, source: string, dest: string): LeftOut {
  const lists = { rules: join(dest, 'rules'), paths: join(dest, 'paths') };
  writeFileSync(lists.rules, sample.map((path) => `/${path}\n`).join(''));
  writeFileSync(lists.paths, sample.map((path) => `${join(source, path)}\n`).join(''));
  return lists;
}

const twinOf = (tool: Tool) => `the twin of ${tool.name}`;

function checkRoot({ roots }: Place, tool: Tool, root: string): void {
  const before = roots.get(tool.name);
  if (before !== undefined && before !== root) throw new WrongResult(`${tool.name} made another root than before: ${root}, not ${before}`);
  roots.set(tool.name, root);
}

async function checkTree({ source, signal }: Place, tool: Tool, tree: ByteString): Promise<void> {
  const difference = await differenceOf(toBytes(source), tree, signal);
  if (difference !== undefined) throw new WrongResult(`what ${tool.name} gives back differs from the mirror: ${difference}`);
}
