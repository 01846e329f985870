/** The world of a campaign: peers, mirrors and homes below one directory, the program, and a log of all that was done to them. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Home } from './home.ts';
import type { Random } from './random.ts';

const BIN = fileURLToPath(new URL('../../../../bin/shardctl.js', import.meta.url));
const FAULT = new URL('../fault.js', import.meta.url).href;
/** No command takes this long, however busy the machine is: one that does hangs. */
const HANGS_AFTER_MS = 300_000;

/** When a command is killed: before its Nth write, or some time after its start. */
export type Kill = { readonly write: number } | { readonly ms: number };

/** Whether a peer's directory can be reached, and whether everything in it is as it was written. */
export type PeerState = 'well' | 'away' | 'damaged';

export interface Outcome {
  /** Undefined for one that was killed. */
  readonly code: number | undefined;
  readonly events: readonly Record<string, unknown>[];
}

export class World {
  readonly dir: string;
  readonly random: Random;
  readonly homes: Home[] = [];
  /** By name, of all peers that there are. */
  readonly peers = new Map<string, PeerState>();
  readonly layouts = new Map<string, 'car' | 'blockstore'>();
  readonly log: string;
  readonly tally = { rounds: 0, commands: 0, kills: 0, flips: 0, reads: 0 };
  /** For how many rounds more a peer stays ill. */
  illForRounds = 0;
  #recent: string[] = [];

  constructor(dir: string, random: Random) {
    this.dir = dir;
    this.random = random;
    this.log = join(dir, 'log');
    for (const part of ['sources', 'peers', 'homes']) mkdirSync(join(dir, part), { recursive: true });
  }

  /** Where a peer's directory is while it can be reached. */
  peerDir(name: string): string {
    return join(this.dir, 'peers', name);
  }

  /** Where it is in truth. */
  peerDirNow(name: string): string {
    return this.peers.get(name) === 'away' ? `${this.peerDir(name)}.away` : this.peerDir(name);
  }

  /** The peer that is not well. There is one at most: each shard has two replicas. */
  get ill(): string | undefined {
    return [...this.peers].find(([, state]) => state !== 'well')?.[0];
  }

  /** The home that needs something which is on that peer has to allow for it. */
  stateFor(home: Home): PeerState {
    const { ill } = this;
    return ill !== undefined && home.peers.has(ill) ? (this.peers.get(ill) as PeerState) : 'well';
  }

  fallIll(peer: string, state: PeerState, rounds: number): void {
    this.peers.set(peer, state);
    this.illForRounds = rounds;
  }

  note(text: string): void {
    this.#recent.push(text);
    if (this.#recent.length > 400) this.#recent = this.#recent.slice(-300);
    appendFileSync(this.log, `${text}\n`);
  }

  /** The end of the log. */
  get recent(): string {
    return this.#recent.join('\n');
  }

  /**
   * Runs the program on a home.
   * @param allowed exit codes that the documentation lets it end with, as things are
   * @throws Error for any other
   */
  run(home: Home, allowed: readonly number[], argv: readonly string[], kill?: Kill): Outcome {
    const preload = kill !== undefined && 'write' in kill ? ['--import', FAULT] : [];
    const env = { ...process.env, SHARDCTL_HOME: home.dir, SHARDCTL_FAULT: kill && 'write' in kill ? `kill:${kill.write}` : '' };
    const started = performance.now();
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...preload, BIN, ...argv, '--json'], {
      cwd: this.dir,
      env,
      encoding: 'utf8',
      timeout: kill !== undefined && 'ms' in kill ? kill.ms : HANGS_AFTER_MS,
      killSignal: 'SIGKILL',
      maxBuffer: 1 << 30,
    });
    const seconds = ((performance.now() - started) / 1000).toFixed(2);
    this.tally.commands++;
    const killed = signal === 'SIGKILL' && kill !== undefined;
    if (killed) this.tally.kills++;
    const events = parsed(stdout);
    const told = events.filter(({ type }) => type === 'damage' || type === 'warning' || type === 'exit').slice(-6);
    const ending = killed
      ? `killed (${'write' in kill ? `before write ${kill.write}` : `after ${kill.ms} ms`})`
      : `exit ${status ?? signal}`;
    this.note(`  $ SHARDCTL_HOME=${home.dir} shardctl ${argv.map(quoted).join(' ')}   # ${ending}, ${seconds} s`);
    if (status !== 0 && !killed) for (const event of told) this.note(`      ${JSON.stringify(event)}`);
    if (killed) return { code: undefined, events };
    if (signal !== null) throw new Error(`\`shardctl ${argv.join(' ')}\` did not end by itself: ${signal} after ${seconds} s`);
    if (!allowed.includes(status as number))
      throw new Error(`\`shardctl ${argv.join(' ')}\` in ${home.dir} ends with ${status}, not ${allowed.join(' or ')}\n${stderr}`);
    return { code: status as number, events };
  }
}

function parsed(stdout: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function quoted(word: string): string {
  return /^[\w./:@%=,+-]+$/.test(word) ? word : `'${word}'`;
}
