/**
 * `npm run bench -- get`: a tree back from a Kubo daemon that holds it, beside the daemon's own `get` and a download of the same files over
 * plain HTTP; and back from a directory, beside `cp -a`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../src/measure/measure.ts';
import { cpuSecondsOf } from '../src/measure/process-tree.ts';
import type { Run } from '../src/measure/report.ts';
import { writeBack } from '../src/measure/timed-run.ts';
import { apiOf } from './contestants.ts';
import type { Corpus } from './corpus.ts';
import { type Lab, type LabMember, startLab } from './lab.ts';
import { type Line, lineTo } from './line.ts';
import type { TurnPlan } from './peers.ts';
import { binary, measure, SHARDCTL } from './tools.ts';

/** Requests that curl has under way at once. */
const PARALLEL = 8;

/** Where everything is that a getter may read from. */
interface Stage {
  readonly dest: string;
  /** The tree itself. */
  readonly source: string;
  readonly member: LabMember;
  /** CID of the tree's root. */
  readonly tree: string;
  /** List of all files for curl, to be written below `out`. */
  readonly list: string;
  readonly out: string;
}

export interface Getter {
  readonly name: string;
  readonly version: Command;
  readonly command: (stage: Stage) => Command;
}

export const GETTERS: readonly Getter[] = [
  {
    name: 'shardctl get',
    version: { argv: [process.execPath, SHARDCTL, '--version'] },
    command: ({ dest, out }) => shardctl(join(dest, 'home'), 'get', 'bench', '-o', out),
  },
  {
    name: 'shardctl get by gateway',
    version: { argv: [process.execPath, SHARDCTL, '--version'] },
    command: ({ dest, out }) => shardctl(join(dest, 'home-gateway'), 'get', 'bench', '-o', out),
  },
  {
    name: 'shardctl get from a directory',
    version: { argv: [process.execPath, SHARDCTL, '--version'] },
    command: ({ dest, out }) => shardctl(join(dest, 'home-local'), 'get', 'bench', '-o', out),
  },
  {
    name: 'cp -a',
    version: { argv: ['cp', '--version'] },
    command: ({ source, out }) => ({ argv: ['cp', '-a', source, out] }),
  },
  {
    name: 'ipfs get',
    version: { argv: [binary('ipfs'), 'version'] },
    command: ({ member, tree, out }) => ({ argv: [binary('ipfs'), ...apiOf(member), 'get', '-o', out, tree] }),
  },
  {
    name: 'curl over plain HTTP',
    version: { argv: ['curl', '--version'] },
    command: ({ list }) => ({
      argv: ['curl', '--silent', '--fail', '--parallel', '--parallel-max', String(PARALLEL), '--remote-time', '--config', list],
    }),
  },
];

/** @param delayMs how far away the daemon and the server are, one way */
export async function runGets(corpus: Corpus, getters: readonly Getter[], delayMs: number, plan: TurnPlan): Promise<Run[]> {
  const { dest, signal } = plan;
  const phase = delayMs === 0 ? 'get' : `get, ${2 * delayMs} ms there and back`;
  const runs: Run[] = [];
  const log = join(dest, 'log');
  mkdirSync(dest, { recursive: true });
  const server = spawn(process.execPath, [join(import.meta.dirname, 'static.js'), corpus.dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: Line[] = [];
  const distant = async (url: string) => {
    if (delayMs === 0) return url;
    const line = await lineTo(url, { delayMs });
    lines.push(line);
    return line.url;
  };
  let lab: Lab | undefined;
  try {
    const [said] = await once(server.stdout, 'data');
    lab = await startLab(join(dest, 'lab'), { members: 1, cluster: false });
    const near = lab.members[0] as LabMember;
    const member = { ...near, kubo: await distant(near.kubo), gateway: await distant(near.gateway) };
    const stage = await prepare(corpus, member, await distant(String(said).trim()), plan);
    for (let round = 1; round <= plan.rounds; round++) {
      for (const { name, command } of getters) {
        writeBack();
        const before = servingSeconds(lab, server);
        const cost = await measure(command(stage), log, signal);
        const daemonSeconds = servingSeconds(lab, server) - before;
        const run = { corpus: corpus.name, tool: name, phase, round, ...cost, daemonSeconds };
        assertWhole(corpus, stage.out, name);
        rmSync(stage.out, { recursive: true, force: true });
        runs.push(run);
        plan.log(
          `${corpus.name} round ${round}  ${name}: ${run.seconds.toFixed(2)} s, server ${run.daemonSeconds.toFixed(2)} s of processor time`,
        );
      }
    }
  } finally {
    server.kill();
    for (const line of lines) await line.close();
    await lab?.stop();
    rmSync(dest, { recursive: true, force: true });
  }
  return runs;
}

/** Has the tree in the daemon, known to two homes: one reads by its RPC, the other by its gateway. A third one has it in a directory. */
async function prepare(corpus: Corpus, member: LabMember, url: string, { dest, signal }: TurnPlan): Promise<Stage> {
  const log = join(dest, 'log');
  await measure(shardctl(join(dest, 'home-local'), 'add', corpus.dir, '--name', 'bench'), log, signal);
  for (const [home, options] of [
    ['home', []],
    ['home-gateway', ['--gateway', member.gateway]],
  ] as const) {
    await measure(shardctl(join(dest, home), 'peers', 'add', 'kubo', member.kubo, '--name', member.name, ...options), log, signal);
    await measure(shardctl(join(dest, home), 'add', corpus.dir, '--name', 'bench', '--root-only'), log, signal);
  }
  const tree = readFileSync(log, 'utf8').trim();
  const out = join(dest, 'out');
  const list = join(dest, 'files');
  const files = filesBelow(corpus.dir);
  writeFileSync(list, files.map((path) => `url = "${url}/${path}"\noutput = "${join(out, path)}"\ncreate-dirs\n`).join('next\n'));
  return { dest, source: corpus.dir, member, tree, list, out };
}

function shardctl(home: string, ...args: readonly string[]): Command {
  return { argv: [process.execPath, SHARDCTL, ...args, '--home', home, '--quiet'] };
}

/** What came short would have been quick. */
function assertWhole(corpus: Corpus, out: string, name: string): void {
  const files = filesBelow(out).length;
  if (files !== corpus.files) throw new Error(`${name} gave ${files} of ${corpus.files} files`);
}

function filesBelow(dir: string, below = ''): string[] {
  return readdirSync(join(dir, below), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(dir, join(below, entry.name)) : [join(below, entry.name)],
  );
}

function servingSeconds(lab: Lab, server: ChildProcess): number {
  return lab.cpuSeconds() + cpuSecondsOf(server.pid as number);
}
