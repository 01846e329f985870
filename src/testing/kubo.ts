/** Real Kubo for tests: a binary, and throw-away datastores driven through its command line or as daemons. Nothing leaves the machine. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { base32 } from 'multiformats/bases/base32';
import { sha256 } from '../dag/cid.ts';

/** The `ipfs` binary that the peer builder made, or undefined. `SHARDCTL_PEERS` names another folder of binaries. */
export function kuboBinary(): string | undefined {
  const binary = join(process.env.SHARDCTL_PEERS ?? join(homedir(), '.cache', 'shardctl-peers'), 'ipfs');
  try {
    accessSync(binary, constants.X_OK);
    return binary;
  } catch {
    return undefined;
  }
}

/**
 * Skips the test when there is no Kubo, unless `SHARDCTL_TEST_REQUIRE` lists `kubo`: then that is a failure.
 * @returns whether the test can go on
 */
export function requireKubo(t: TestContext): boolean {
  if (kuboBinary() !== undefined) return true;
  if ((process.env.SHARDCTL_TEST_REQUIRE ?? '').split(',').includes('kubo')) throw new Error('Kubo is required but not there');
  t.skip('no Kubo binary');
  return false;
}

/** A Kubo datastore in a folder of its own, used without a daemon. */
export class KuboRepo {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a datastore in `dir`. @param profile a CID profile such as `unixfs-v1-2025` */
  static init(dir: string, profile?: string): KuboRepo {
    mkdirSync(dir, { recursive: true });
    const repo = new KuboRepo(dir);
    repo.run(['init', '--profile=test']);
    if (profile !== undefined) repo.run(['config', 'profile', 'apply', profile]);
    return repo;
  }

  /** Runs one command and gives its standard output. Throws with what Kubo said when it fails. */
  run(args: readonly string[], input?: Uint8Array): Buffer {
    const binary = kuboBinary();
    if (binary === undefined) throw new Error('Kubo is not there: call requireKubo first');
    const result = spawnSync(binary, args, {
      env: { ...process.env, IPFS_PATH: this.path },
      maxBuffer: 1 << 30,
      ...(input === undefined ? {} : { input }),
    });
    if (result.error !== undefined) throw result.error;
    if (result.status !== 0) throw new Error(`ipfs ${args.join(' ')}: exit code ${result.status}: ${result.stderr.toString()}`);
    return result.stdout;
  }

  /** As `run`, while others go on; what it says is dropped. */
  async start(args: readonly string[]): Promise<void> {
    await promisify(execFile)(kuboBinary() as string, args, { env: { ...process.env, IPFS_PATH: this.path } });
  }

  /** As `run`: standard output as text, without the newline at its end. */
  text(args: readonly string[], input?: Uint8Array): string {
    return this.run(args, input).toString().trimEnd();
  }
}

/** A daemon on a datastore of its own, on ports that the system chooses. It knows no other peers. */
export class KuboDaemon {
  readonly repo: KuboRepo;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(repo: KuboRepo, args: readonly string[]) {
    this.repo = repo;
    this.#args = args;
  }

  /** @param settings by key, as `ipfs config --json` takes them @param args of `ipfs daemon` */
  static async start(dir: string, settings: Readonly<Record<string, unknown>> = {}, args: readonly string[] = []): Promise<KuboDaemon> {
    const repo = KuboRepo.init(dir);
    const addresses = {
      'Addresses.API': '/ip4/127.0.0.1/tcp/0',
      'Addresses.Gateway': '/ip4/127.0.0.1/tcp/0',
      'Addresses.Swarm': ['/ip4/127.0.0.1/tcp/0'],
    };
    for (const [key, value] of Object.entries({ ...addresses, ...settings })) repo.run(['config', '--json', key, JSON.stringify(value)]);
    const daemon = new KuboDaemon(repo, args);
    await daemon.start();
    daemon.#keepAddress();
    return daemon;
  }

  /** Started again, it is where it was. Not through `ipfs config`, which asks a daemon that may want credentials. */
  #keepAddress(): void {
    const file = join(this.repo.path, 'config');
    const config = JSON.parse(readFileSync(file, 'utf8')) as { Addresses: { API: string } };
    config.Addresses.API = readFileSync(join(this.repo.path, 'api'), 'utf8').trim();
    writeFileSync(file, JSON.stringify(config));
  }

  /** URL of its RPC. */
  get url(): string {
    const address = readFileSync(join(this.repo.path, 'api'), 'utf8');
    return `http://127.0.0.1:${address.trim().split('/').at(-1)}`;
  }

  get gateway(): string {
    return readFileSync(join(this.repo.path, 'gateway'), 'utf8').trim();
  }

  async start(): Promise<void> {
    for (const file of ['api', 'gateway']) rmSync(join(this.repo.path, file), { force: true });
    const child = spawn(kuboBinary() as string, ['daemon', ...this.#args], {
      env: { ...process.env, IPFS_PATH: this.repo.path },
      stdio: 'ignore',
    });
    this.#process = child;
    // The gateway comes up last.
    while (!existsSync(join(this.repo.path, 'gateway'))) {
      if (child.exitCode !== null) throw new Error(`the Kubo daemon ended with ${child.exitCode}`);
      await setTimeout(20);
    }
  }

  /** Takes no heed of anything from now on, and keeps its connections. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  /** Ends it, and resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  /** The file in which the daemon's datastore keeps a block. */
  fileOf(block: Uint8Array): string {
    const key = base32.baseEncode(Buffer.concat([Buffer.from([0x12, 0x20]), sha256(block)])).toUpperCase();
    return join(this.repo.path, 'blocks', key.slice(-3, -1), `${key}.data`);
  }
}
