/** Real daemons on loopback, made anew for each turn: Kubo, with or without a Cluster in front. */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSecondsOf } from '../src/measure/process-tree.ts';

const SCRIPT = join(import.meta.dirname, '..', '..', 'scripts', 'peers', 'lab');
/** Away from what `scripts/peers/lab` takes by itself, and from other benches. */
const PORT = 10_000 + (process.pid % 100) * 100;

export interface LabMember {
  readonly name: string;
  /** URL of its Kubo's RPC. */
  readonly kubo: string;
  readonly gateway: string;
  readonly kuboPid: number;
  /** URL of its Cluster's REST API. */
  readonly cluster?: string;
  readonly clusterPid?: number;
}

export interface LabSize {
  readonly members: number;
  readonly cluster: boolean;
}

export interface Lab {
  readonly members: readonly LabMember[];
  /** Processor time that all daemons together have taken so far. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** @param dir for the datastores; whoever starts the lab removes it */
export async function startLab(dir: string, { members, cluster }: LabSize): Promise<Lab> {
  mkdirSync(dir, { recursive: true });
  const env = { LAB_CLUSTER: cluster ? 'yes' : 'no' };
  await run([SCRIPT, 'up', dir, String(members), String(PORT)], join(dir, 'lab.log'), env);
  const { peers } = JSON.parse(readFileSync(join(dir, 'lab.json'), 'utf8')) as { peers: LabMember[] };
  const pids = peers.flatMap(({ kuboPid, clusterPid }) => [kuboPid, ...(clusterPid === undefined ? [] : [clusterPid])]);
  return {
    members: peers,
    cpuSeconds: () => pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
    stop: () => run([SCRIPT, 'down', dir], join(dir, 'lab.log'), {}),
  };
}

async function run([file, ...args]: readonly [string, ...string[]], log: string, env: Readonly<Record<string, string>>): Promise<void> {
  const output = openSync(log, 'w');
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', output, output] });
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve));
  if (code !== 0) throw new Error(`${file} ended with ${code}:\n${readFileSync(log, 'utf8').slice(-2000)}`);
}
