/** A stock Kubo with the trees of repositories, whose gateway is the only thing in a network. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { KuboRepo, kuboBinary } from '../kubo.ts';
import type { LoneNetwork } from './lone-network.ts';

export class KuboGateway {
  readonly #repo: KuboRepo;
  #daemon: ChildProcess | undefined;

  /** @param dir not there yet @param address of the gateway, as a multiaddress */
  static init(dir: string, address: string): KuboGateway {
    const repo = KuboRepo.init(dir);
    const settings = { 'Addresses.API': '/ip4/127.0.0.1/tcp/0', 'Addresses.Gateway': address, 'Addresses.Swarm': [] };
    for (const [key, value] of Object.entries(settings)) repo.run(['config', '--json', key, JSON.stringify(value)]);
    return new KuboGateway(repo);
  }

  private constructor(repo: KuboRepo) {
    this.#repo = repo;
  }

  /** Before it starts: makes a key, and gives its IPNS name. */
  nameOf(key: string): string {
    return this.#repo.text(['key', 'gen', '--ipns-base=base36', key]);
  }

  /** Before it starts: the tree of a CAR. */
  take(car: string): void {
    this.#repo.run(['dag', 'import', car]);
  }

  /** Before it starts: points the name of a key at the tree. */
  publish(key: string, tree: string): void {
    this.#repo.run(['name', 'publish', '--allow-offline', `--key=${key}`, '--lifetime=24h', `/ipfs/${tree}`]);
  }

  async start(network: LoneNetwork): Promise<void> {
    const [command = '', ...args] = network.command(kuboBinary() as string, 'daemon', '--offline');
    const daemon = spawn(command, args, { env: { ...process.env, IPFS_PATH: this.#repo.path }, stdio: 'ignore' });
    this.#daemon = daemon;
    while (!existsSync(join(this.#repo.path, 'gateway'))) {
      if (daemon.exitCode !== null) throw new Error(`the Kubo daemon ended with ${daemon.exitCode}`);
      await setTimeout(20);
    }
  }

  async stop(): Promise<void> {
    if (this.#daemon === undefined || this.#daemon.exitCode !== null) return;
    const gone = once(this.#daemon, 'exit');
    this.#daemon.kill('SIGTERM');
    await gone;
  }
}
