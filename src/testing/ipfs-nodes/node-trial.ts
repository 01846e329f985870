/** A mirror that is stored and served, and IPFS nodes that read it as `docs/ipfs-nodes.md` says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lutimesSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { kuboBinary } from '../kubo.ts';
import { listing } from '../listing.ts';
import { LoneNetwork } from '../package-tools/lone-network.ts';
import { type Block, blocksIn } from '../package-tools/page.ts';
import { Sandbox } from '../package-tools/sandbox.ts';
import { Program } from '../program.ts';
import { ServeProcess } from '../serve-process.ts';
import { writeTree } from '../tree.ts';

const PAGE = 'ipfs-nodes.md';

/** A line of the access log. */
export interface Answered {
  readonly method: string;
  readonly url: string;
  readonly protocol: string;
  readonly status: number;
  readonly agent: string;
}

/** Where the page has the server. */
const WRITTEN_URL = 'http://127.0.0.1:8080';

export class NodeTrial {
  readonly program = new Program();
  readonly network: LoneNetwork;
  readonly #listen: string;
  #served: ServeProcess | undefined;
  /** The mirror: `debian` in the program's directory. */
  readonly source: string;
  readonly #log = this.program.path('access.log');
  readonly #ending: (() => Promise<unknown>)[] = [];
  #sandboxes = 0;

  /** @param write makes the mirror */
  static async open(write = writeMirror): Promise<NodeTrial> {
    const network = await LoneNetwork.open();
    const nodes = new NodeTrial(network, `127.0.0.1:${await network.freePort(8080)}`, write);
    nodes.program.succeeds('add', nodes.source, '--name', 'debian', '--shard-size', '256KiB');
    await nodes.serve();
    return nodes;
  }

  private constructor(network: LoneNetwork, listen: string, write: typeof writeMirror) {
    this.network = network;
    this.#listen = listen;
    this.source = write(this.program.path('debian'));
  }

  /** Starts the server, anew if it runs. */
  async serve(...options: string[]): Promise<void> {
    await this.#served?.stop();
    const always = ['--listen', this.#listen, '--access-log', this.#log, '--access-log-format', 'json'];
    this.#served = await ServeProcess.startIn(this.network, this.program, ...always, ...options);
  }

  /** Of the server, without a slash at its end. */
  get url(): string {
    return (this.#served as ServeProcess).url;
  }

  sandbox(env: NodeJS.ProcessEnv = {}): Sandbox {
    return new Sandbox({
      dir: this.program.path(`client-${this.#sandboxes++}`),
      by: (...command) => this.network.command(...command),
      meaning: { [WRITTEN_URL]: this.url },
      env: () => env,
    });
  }

  /** What the server has answered since this was asked last. It writes its log a little later: a request of our own shows how far that is. */
  async answered(): Promise<Answered[]> {
    const mark = `/mark-${this.#marks++}`;
    const [curl = '', ...args] = this.network.command('curl', '--silent', '--insecure', `${this.url}${mark}`);
    spawnSync(curl, args);
    for (;;) {
      const lines = existsSync(this.#log) ? readFileSync(this.#log, 'utf8').split('\n').slice(0, -1) : [];
      const all = lines.map((line) => JSON.parse(line) as Answered);
      const end = all.findIndex(({ url }) => url === mark);
      if (end >= 0) return all.slice(all.findIndex(({ url }) => url === `/mark-${this.#marks - 2}`) + 1, end);
      await setTimeout(20);
    }
  }
  #marks = 0;

  blocks(...headings: string[]) {
    return blocksIn(PAGE, ...headings);
  }

  /** A Kubo that is set up as the page says, knows nobody but the server, and runs. @param more that the page says before it is started */
  async kubo({ env = {}, more = [] }: { env?: NodeJS.ProcessEnv; more?: readonly Block[] } = {}): Promise<Sandbox> {
    const sandbox = this.sandbox({ IPFS_TELEMETRY: 'off', ...env });
    sandbox.alias('ipfs', kuboBinary() as string);
    await sandbox.follow([...this.blocks('Kubo'), ...more]);
    const own = { 'Addresses.API': '/ip4/127.0.0.1/tcp/0', 'Addresses.Gateway': '/ip4/127.0.0.1/tcp/0', 'Addresses.Swarm': [] };
    for (const [key, value] of Object.entries(own)) await sandbox.sh(`ipfs config --json ${key} '${JSON.stringify(value)}'`);
    const ended = sandbox.run('ipfs', 'daemon');
    this.#ending.push(async () => {
      await sandbox.run('ipfs', 'shutdown');
      await ended;
    });
    const isOver = ended.then(({ output }) => output);
    // The gateway comes up last.
    while (!existsSync(sandbox.place('~/.ipfs/gateway'))) assert.equal(await Promise.race([isOver, setTimeout(20)]), undefined);
    return sandbox;
  }

  /** Before the sandboxes are removed: something that runs, or is mounted. */
  atEnd(end: () => Promise<unknown>): void {
    this.#ending.push(end);
  }

  /** The directory is the mirror, with modes and times; rsync says so, too, where it is there. */
  assertMirror(dir: string): void {
    assert.deepEqual(listing(dir), listing(this.source));
    assert.equal(differences(this.source, dir, '-ani'), '');
  }

  async close(): Promise<void> {
    for (const end of this.#ending.reverse()) await end();
    await this.#served?.stop();
    this.network.close();
    this.program.dispose();
  }
}

/** What rsync would change in `to`; nothing where there is no rsync. */
export function differences(from: string, to: string, ...options: string[]): string {
  const { error, status, stdout, stderr } = spawnSync('rsync', [...options, `${from}/`, `${to}/`], { encoding: 'utf8' });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return '';
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Files small and large, a symlink, modes of all kinds, and times with nanoseconds. */
export function writeMirror(dir: string): string {
  rmSync(dir, { recursive: true, force: true });
  const packages = Array.from({ length: 120 }, (_, i) => [`package-${i}.deb`, Buffer.alloc(3000 + 97 * i, `${i} `)]);
  writeTree(dir, {
    dists: { bookworm: { Release: 'Suite: stable\n', main: { Packages: 'Package: hello\n' } }, stable: { link: 'bookworm' } },
    pool: { main: Object.fromEntries(packages), 'one large': Buffer.alloc(3_500_000, 'abcdefghijk') },
    empty: {},
  });
  for (const [i, mode] of [0o600, 0o755, 0o444, 0o4755].entries()) chmodSync(join(dir, 'pool/main', `package-${i}.deb`), mode);
  for (const [i, path] of ['pool/main/package-9.deb', 'dists/bookworm/Release', 'dists/bookworm', 'empty'].entries()) {
    utimesSync(join(dir, path), 1_600_000_000 + i, 1_600_000_000.125 + i);
  }
  chmodSync(join(dir, 'empty'), 0o2775);
  lutimesSync(join(dir, 'dists/stable'), 1_234_567_890, 1_234_567_890);
  return dir;
}
