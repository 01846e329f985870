/** The servers that a tree can be copied from, each with two states of it, near or behind lines that delay. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSeconds, treeOf } from '../src/measure/process-tree.ts';
import type { Corpus } from './corpus.ts';
import { changeOnePercent, linkedCopy } from './edits.ts';
import { bytesIn } from './fetch-turn.ts';
import type { Sources, TreeState } from './fetchers.ts';
import { type Lab, type LabMember, startLab } from './lab.ts';
import { type Line, lineTo } from './line.ts';
import { REPOSITORY, type Running, rsyncDaemon, serversOf } from './servers.ts';
import { binary, measure, SHARDCTL } from './tools.ts';

/** The sources as they are seen from so far away. */
interface Far {
  readonly sources: Sources;
  /** Bytes that came from them so far; 0 where they are near. */
  received(): number;
}

export interface Stage {
  readonly before: TreeState;
  readonly after: TreeState;
  /** Of the files in `after` that are not as in `before`, as far as they differ. */
  readonly changedBytes: number;
  /** Folder of both states. */
  readonly source: string;
  /** @param distance milliseconds there and back */
  at(distance: number): Promise<Far>;
  /** Processor time of all servers so far. */
  cpuSeconds(): number;
  /** Only equal copies count. @param what for the message */
  assertEqual(state: TreeState, out: string, what: object): void;
  /** Has the servers forget what they have learnt while they served this tool. */
  forget(tool: string): Promise<void>;
  stop(): Promise<void>;
}

type Run = (...argv: readonly [string, ...string[]]) => Promise<string>;

interface StageOptions {
  /** Filled; whoever starts the stage removes it. */
  readonly dest: string;
  /** Without them, what is said of them is empty. */
  readonly withKubo: boolean;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export async function startStage(corpus: Corpus, { dest, withKubo, log, signal }: StageOptions): Promise<Stage> {
  const [trees, scratch] = [join(dest, 'trees'), join(dest, 'scratch')];
  mkdirSync(trees, { recursive: true });
  mkdirSync(scratch);
  const output = join(dest, 'log');
  const run: Run = async (...argv) => {
    await measure({ argv }, output, signal);
    return readFileSync(output, 'utf8');
  };
  const lab = withKubo ? await startLab(join(dest, 'lab'), { members: 3, cluster: false }) : NO_LAB;
  const running: Running[] = [];
  const stop = async () => {
    for (const server of running) await server.stop();
    await lab.stop();
  };
  try {
    const { states, homes, changedBytes } = await store(corpus, dest, lab, run, log);
    for (const { name, start } of serversOf([1]))
      if (name === 'nginx' || name === 'shardctl serve')
        running.push(await start({ source: trees, home: homes.local, tree: '', scratch }, signal));
    running.push(await rsyncDaemon(trees, scratch));
    const [nginx, serve, rsync] = running.map(({ url }) => new URL(url)) as [URL, URL, URL];
    const near: Sources = {
      nginx: nginx.origin,
      serve: serve.origin,
      rsync: rsync.port,
      kubos: lab.members,
      homes,
      source: trees,
      scratch,
    };
    const distant = new Map<number, DistantSources>();
    return {
      ...states,
      changedBytes,
      source: trees,
      at: async (distance) => {
        if (distance === 0) return { sources: near, received: () => 0 };
        const far = distant.get(distance) ?? (await DistantSources.of(near, distance, dest));
        distant.set(distance, far);
        return far;
      },
      cpuSeconds: () => lab.cpuSeconds() + running.reduce((sum, { pid }) => sum + cpuSeconds(treeOf(pid)), 0),
      assertEqual: ({ folder }, out, what) => assertEqual(join(trees, folder), out, what),
      // What `ipfs get` has read is kept by the Kubo that it asked.
      forget: async (tool) => {
        if (tool.startsWith('ipfs get'))
          await run(binary('ipfs'), '--api', `/ip4/127.0.0.1/tcp/${new URL(lab.members[0]?.kubo as string).port}`, 'repo', 'gc', '-q');
      },
      stop: async () => {
        for (const far of distant.values()) await far.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const NO_LAB: Lab = { members: [], cpuSeconds: () => 0, stop: async () => {} };

/** Has both states of the tree in three homes: the peer of one is a directory, those of the others are the daemons. */
async function store(corpus: Corpus, dest: string, lab: Lab, run: Run, log: (line: string) => void) {
  const homes = { local: join(dest, 'home-local'), rpc: join(dest, 'home-rpc'), gateway: join(dest, 'home-gateway') };
  const shardctl = (home: string, ...args: string[]) => run(process.execPath, SHARDCTL, ...args, '--home', home);
  const used = lab.members.length > 0 ? Object.values(homes) : [homes.local];
  for (const { name, kubo, gateway } of lab.members) {
    await shardctl(homes.rpc, 'peers', 'add', 'kubo', kubo, '--name', name, '--quiet');
    await shardctl(homes.gateway, 'peers', 'add', 'kubo', kubo, '--name', name, '--gateway', gateway, '--quiet');
  }
  const trees = join(dest, 'trees');
  const source = join(trees, 'source');
  cpSync(corpus.dir, source, { recursive: true, preserveTimestamps: true });
  const stateOf = async (folder: string): Promise<TreeState> => {
    const heads = new Map<string, Head>();
    for (const home of used) {
      log(`${corpus.name}: ${folder} into ${home.slice(dest.length + 1)}`);
      await shardctl(home, 'add', source, '--name', REPOSITORY, '--quiet');
      heads.set(home, headIn(await shardctl(home, 'status', '--json')));
    }
    renameSync(source, join(trees, folder));
    const local = heads.get(homes.local) as Head;
    const files = filesBelow(join(trees, folder));
    return {
      folder,
      number: local.number,
      tree: local.tree,
      snapshots: { serve: local.cid, kubo: heads.get(homes.rpc)?.cid ?? '' },
      files,
      bytes: bytesIn(join(trees, folder)),
    };
  };
  const before = await stateOf('before');
  linkedCopy(join(trees, 'before'), source);
  const changedBytes = changeOnePercent(source);
  return { states: { before, after: await stateOf('after') }, homes, changedBytes };
}

interface Head {
  readonly number: number;
  readonly cid: string;
  readonly tree: string;
}

function headIn(status: string): Head {
  const lines = status.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as { name?: string; head: Head }).find(({ name }) => name === REPOSITORY)?.head as Head;
}

/** All sources behind lines of their own, and homes that know their peers by these. */
class DistantSources implements Far {
  readonly sources: Sources;
  readonly #lines: readonly Line[];

  static async of(near: Sources, distance: number, dest: string): Promise<DistantSources> {
    const lines: Line[] = [];
    const farther = async (url: string) => {
      const line = await lineTo(url, { delayMs: distance / 2 });
      lines.push(line);
      return line.url;
    };
    const kubos: LabMember[] = [];
    for (const member of near.kubos) kubos.push({ ...member, kubo: await farther(member.kubo), gateway: await farther(member.gateway) });
    const home = (from: string) => {
      const to = join(dest, `${from.slice(dest.length + 1)}-${distance}ms`);
      cpSync(from, to, { recursive: true, preserveTimestamps: true });
      let config = readFileSync(join(to, 'config.json'), 'utf8');
      for (const [i, { kubo, gateway }] of near.kubos.entries())
        config = config.replaceAll(kubo, kubos[i]?.kubo as string).replaceAll(gateway, kubos[i]?.gateway as string);
      writeFileSync(join(to, 'config.json'), config);
      return to;
    };
    const { homes } = near;
    const sources: Sources = {
      ...near,
      nginx: await farther(near.nginx),
      serve: await farther(near.serve),
      rsync: new URL(await farther(`http://127.0.0.1:${near.rsync}`)).port,
      kubos,
      homes: near.kubos.length === 0 ? homes : { local: homes.local, rpc: home(homes.rpc), gateway: home(homes.gateway) },
    };
    return new DistantSources(sources, lines);
  }

  private constructor(sources: Sources, lines: readonly Line[]) {
    this.sources = sources;
    this.#lines = lines;
  }

  received(): number {
    return this.#lines.reduce((sum, line) => sum + line.received, 0);
  }

  async close(): Promise<void> {
    for (const line of this.#lines) await line.close();
  }
}

/** What came short, or wrong, would have been quick. What fetch keeps in the copy for itself is no part of it. */
function assertEqual(tree: string, out: string, what: object): void {
  const { status, stdout } = spawnSync('diff', ['-rq', '-x', '.shardctl-fetch', tree, out], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${JSON.stringify(what)}: not equal:\n${stdout.slice(0, 1000)}`);
}

function filesBelow(dir: string, below = ''): string[] {
  return readdirSync(join(dir, below), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(dir, join(below, entry.name)) : [join(below, entry.name)],
  );
}
