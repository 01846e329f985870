/** A network with nothing in it but a loopback: what runs there reaches what else runs there, and nothing besides. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Readable } from 'node:stream';

export class LoneNetwork {
  /** It holds the network open, and ends with its standard input, so with the test at the latest. */
  readonly #holder: ChildProcess | undefined;

  /** Linux and root; elsewhere commands run in the network of the machine, and only their settings keep them from going out. */
  static async open(): Promise<LoneNetwork> {
    if (!canBeMade()) return new LoneNetwork(undefined);
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo up && exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(holder.stdout as Readable, 'data');
    const network = new LoneNetwork(holder);
    const [sh, ...args] = network.command('sh', '-c', 'cat /proc/net/route; grep : /proc/net/dev');
    const { stdout } = spawnSync(sh as string, args, { encoding: 'utf8' });
    assert.match(stdout, /^Iface[^\n]*\n *lo:[^\n]*\n$/, 'it has one interface, and no way out');
    return network;
  }

  private constructor(holder: ChildProcess | undefined) {
    this.#holder = holder;
  }

  /** The command that runs this one inside. */
  command(...command: string[]): string[] {
    return this.#holder === undefined ? command : ['nsenter', `--net=/proc/${this.#holder.pid}/ns/net`, '--', ...command];
  }

  /** A port that nothing listens on. @param wish taken if this network is a lone one, where all are free */
  async freePort(wish: number): Promise<number> {
    if (this.#holder !== undefined) return wish;
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    return port;
  }

  close(): void {
    this.#holder?.stdin?.end();
  }
}

function canBeMade(): boolean {
  return process.getuid?.() === 0 && spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']).status === 0;
}
