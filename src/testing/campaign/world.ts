/** The world of a campaign: peers, mirrors and homes below one directory, the program, and a log of all that was done to them. */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runInProcess } from '../in-process.ts';
import type { Home } from './home.ts';
import type { Random } from './random.ts';

const BIN = fileURLToPath(new URL('../../../../bin/shardctl.js', import.meta.url));
const FAULT = new URL('../fault.js', import.meta.url).href;
/** No command takes this long, however busy the machine is: one that does hangs. */
const HANGS_AFTER_MS = 300_000;

/** Commands that change nothing in the home. */
const READS = new Set(['get', 'verify', 'snapshots', 'status']);
/** Events that say why a command failed, and what one has done. */
const TROUBLES = new Set(['damage', 'no-answer', 'warning', 'exit']);
const RESULTS = new Set(['pruned', 'repaired', 'moved']);

/** What befalls a command. It is run in a process of its own then. */
export interface Disturbance {
  /** For `testing/fault.ts`: what happens at the Nth write. */
  readonly fault?: string;
  /** It is killed after a part of the time that the last one of its name took. */
  readonly percent?: number;
}

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
  /** Small, so that a few edits fill several, and leave some thin. */
  readonly shardSize: string;
  /** IDs of homes that are no more. */
  readonly deadHomes: string[] = [];
  readonly layouts = new Map<string, 'car' | 'blockstore'>();
  readonly log: string;
  readonly tally = { rounds: 0, commands: 0, kills: 0, flips: 0, reads: 0 };
  /** For how many rounds more a peer stays ill. */
  illForRounds = 0;
  #recent: string[] = [];
  /** Milliseconds that the last command of a name took. */
  readonly #took = new Map<string, number>();

  constructor(dir: string, random: Random) {
    this.dir = dir;
    this.random = random;
    this.shardSize = random.pick(['16KiB', '64KiB', '64KiB', '256KiB']);
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
   * Runs the program on a home: in a process of its own when it is to be killed, and by chance; otherwise in this one, at a fifth of the cost.
   * @param allowed exit codes that the documentation lets it end with, as things are
   * @throws Error for any other
   */
  async run(home: Home, allowed: readonly number[], argv: readonly string[], disturbance?: Disturbance): Promise<Outcome> {
    const isRead = READS.has(argv[0] as string);
    const ownProcess = disturbance !== undefined || this.random.chance(isRead ? 0.05 : 0.25);
    const started = performance.now();
    const { status, stdout, stderr } = await (ownProcess
      ? this.#spawned(home, argv, disturbance ?? {})
      : withinTime(runInProcess(home.dir, argv)));
    const took = performance.now() - started;
    const killed = status === 'SIGKILL' && disturbance !== undefined;
    this.tally.commands++;
    if (killed) this.tally.kills++;
    else if (ownProcess) this.#took.set(wordsOf(argv), took);

    const command = `shardctl ${argv.map(quoted).join(' ')}`;
    const how = `${ownProcess ? ', a process' : ''}${disturbance?.fault === undefined ? '' : `, ${disturbance.fault}`}`;
    this.note(`  $ SHARDCTL_HOME=${home.dir} ${command}   # ${killed ? 'killed' : `exit ${status}`}, ${(took / 1000).toFixed(2)} s${how}`);
    const events = parsed(stdout);
    if (killed) return { code: undefined, events };
    const telling = events.filter(({ type }) => (status === 0 ? RESULTS : TROUBLES).has(type as string));
    for (const event of telling.slice(-6)) this.note(`      ${JSON.stringify(event)}`);
    if (typeof status !== 'number' || !allowed.includes(status))
      throw new Error(`\`${command}\` in ${home.dir} ends with ${status}, not ${allowed.join(' or ')}\n${stderr}`);
    return { code: status, events };
  }

  async #spawned(home: Home, argv: readonly string[], { fault, percent }: Disturbance): Promise<Ended> {
    const options = fault === undefined ? [] : ['--import', FAULT];
    const child = spawn(process.execPath, [...options, BIN, ...argv, '--json'], {
      cwd: this.dir,
      env: { ...process.env, SHARDCTL_HOME: home.dir, SHARDCTL_FAULT: fault ?? '' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: percent === undefined ? HANGS_AFTER_MS : Math.ceil(((this.#took.get(wordsOf(argv)) ?? 500) * percent) / 100),
      killSignal: 'SIGKILL',
    });
    const [stdout, stderr, status] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise<Ended['status']>((resolve, reject) => child.on('error', reject).on('close', (code, signal) => resolve(code ?? signal))),
    ]);
    return { status, stdout, stderr };
  }
}

interface Ended {
  readonly status: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function withinTime(running: ReturnType<typeof runInProcess>): Promise<Ended> {
  const late = new AbortController();
  const hangs = sleep(HANGS_AFTER_MS, undefined, { signal: late.signal, ref: true }).then(
    () => Promise.reject(new Error('the command hangs')),
    () => undefined as never,
  );
  try {
    const { code, stdout } = await Promise.race([running, hangs]);
    return { status: code, stdout, stderr: '' };
  } finally {
    late.abort();
  }
}

function wordsOf(argv: readonly string[]): string {
  return argv.slice(0, argv[0] === 'peers' ? 2 : 1).join(' ');
}

/** Of a run that was killed the last line may be half a line. */
function parsed(stdout: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function quoted(word: string): string {
  return /^[\w./:@%=,+-]+$/.test(word) ? word : `'${word}'`;
}
