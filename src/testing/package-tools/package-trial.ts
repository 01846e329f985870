/** A mirror of packages that is stored, served and brought up to date, and the tool that installs from it. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { compactTime } from '../../snapshot/snapshot-date.ts';
import { Program } from '../program.ts';
import { LoneNetwork } from './lone-network.ts';
import { Sandbox } from './sandbox.ts';
import { Served } from './served.ts';

/** What a mirror of any kind does here. */
export interface PackageMirror {
  readonly dir: string;
  /** Makes this version the newest one. */
  publish(version: string): void;
}

/** Where the page has the server. */
export const WRITTEN_URL = 'http://127.0.0.1:8080';

export class PackageTrial {
  readonly program = new Program();
  readonly network: LoneNetwork;
  /** Of the server, without a slash at its end; known before it runs, for mirrors that name their own files by whole URLs. */
  readonly url: string;
  #served: Served | undefined;
  #sandboxes = 0;

  static async open(): Promise<PackageTrial> {
    const network = await LoneNetwork.open();
    return new PackageTrial(network, `127.0.0.1:${await network.freePort(8080)}`);
  }

  private constructor(network: LoneNetwork, listen: string) {
    this.network = network;
    this.url = `http://${listen}`;
  }

  /** A place for what a test makes, in a directory that is there. */
  scratch(name: string): string {
    const dir = this.program.path('scratch', name);
    mkdirSync(dirname(dir), { recursive: true });
    return dir;
  }

  /** @param options of `serve`, besides `--listen` */
  async serve(...options: string[]): Promise<void> {
    await this.#served?.stop();
    this.#served = await Served.start(this.program, this.network, '--listen', new URL(this.url).host, ...options);
  }

  /** Puts a mirror into the home. */
  add(mirror: PackageMirror, name: string): void {
    this.program.succeeds('add', mirror.dir, '--name', name);
  }

  /** Commits a version; a server that runs goes on. */
  async commit(mirror: PackageMirror, name: string, version: string): Promise<void> {
    mirror.publish(version);
    const { code, stderr } = await this.program.follow(() => {}, 'update', name, '--quiet');
    assert.equal(code, 0, stderr);
  }

  /** When the newest snapshot was made, as addresses have it. No younger one is within the same second. */
  async dateOf(name: string): Promise<string> {
    const { lines } = this.program.succeeds('status', '--json');
    const repositories = lines.map((line) => JSON.parse(line) as { name?: string; head?: { time: string } });
    const time = repositories.find((repository) => repository.name === name)?.head?.time as string;
    while (Date.now() < Date.parse(time) + 1000) await setTimeout(50);
    return compactTime(time);
  }

  /**
   * Runs `work` over and over, while updates of the mirror are committed beside it; of the ends of commits, each round sees one
   * at the most.
   * @param work installs with one command, and gives the version that it found
   * @returns the versions that were found
   */
  async besideCommits(mirror: PackageMirror, name: string, rounds: number, work: () => Promise<string>): Promise<Set<string>> {
    const found = new Set<string>();
    let round = 0;
    const committing = (async () => {
      for (let commits = 0, last = 0; round <= rounds; ) {
        if (round === last) {
          await setTimeout(5);
          continue;
        }
        last = round;
        await this.commit(mirror, name, `7.${commits++}.0`);
      }
    })();
    try {
      while (round++ < rounds) found.add(await work());
    } finally {
      round = Number.POSITIVE_INFINITY;
      await committing;
    }
    return found;
  }

  /** @param meaning of what the page writes, besides the URL of the server */
  sandbox(meaning: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = {}): Sandbox {
    return new Sandbox({
      dir: this.scratch(`client-${this.#sandboxes++}`),
      by: (...command) => this.network.command(...command),
      meaning: { ...meaning, [WRITTEN_URL]: this.url },
      env,
    });
  }

  async close(): Promise<void> {
    await this.#served?.stop();
    this.network.close();
    this.program.dispose();
  }
}
