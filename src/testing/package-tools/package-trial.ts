/** A mirror of packages that is stored, served and brought up to date, and the tool that installs from it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { compactTime } from '../../snapshot/snapshot-date.ts';
import { Program } from '../program.ts';
import { ServeProcess } from '../serve-process.ts';
import { LoneNetwork } from './lone-network.ts';
import type { PackageMirror, PackageTool } from './package-tool.ts';
import { blocksOf } from './page.ts';
import { Sandbox, type SandboxOptions } from './sandbox.ts';

/** Where the page has the server: as it starts, and over TLS for those who have a token. */
const WRITTEN = { plain: 'http://127.0.0.1:8080', secure: 'mirror.example' };
/** What the page writes for a token is written in capitals; this one is long enough for `serve`. */
const TOKEN = 'a-token-of-the-trial-0123456789';
/** Until the server must have shown an update. */
const MOST_ROUNDS = 60;
/** Far longer than a server takes to see what was committed. */
const MOST_MS = 60_000;
const CERTIFICATE = fileURLToPath(new URL('../../../../fixtures/tls/cert.pem', import.meta.url));
const KEY = fileURLToPath(new URL('../../../../fixtures/tls/key.pem', import.meta.url));

export class PackageTrial {
  readonly program = new Program();
  readonly network: LoneNetwork;
  /** Of the server, without a slash at its end; known before it runs, for mirrors that name their own files by whole URLs. */
  readonly url: string;
  readonly #isSecure: boolean;
  #served: ServeProcess | undefined;
  readonly #mirrors: PackageMirror[] = [];
  #sandboxes = 0;

  static async open(): Promise<PackageTrial> {
    const network = await LoneNetwork.open();
    return new PackageTrial(network, `http://127.0.0.1:${await network.freePort(8080)}`);
  }

  /** Served over TLS, to those who have the token. */
  static async openSecure(): Promise<PackageTrial> {
    const network = await LoneNetwork.open();
    const port = await network.freePort(443);
    return new PackageTrial(network, `https://localhost${port === 443 ? '' : `:${port}`}`);
  }

  private constructor(network: LoneNetwork, url: string) {
    this.network = network;
    this.url = url;
    this.#isSecure = url.startsWith('https:');
  }

  /** A place for what a test makes, in a directory that is there. */
  scratch(name: string): string {
    const dir = this.program.path('scratch', name);
    mkdirSync(dirname(dir), { recursive: true });
    return dir;
  }

  get #log(): string {
    return this.scratch('access.log');
  }

  /** Starts the server; everything in the home that is to be private must be there. */
  async serve(): Promise<void> {
    const { hostname, port } = new URL(this.url);
    const options = this.#isSecure ? this.#secureOptions(`127.0.0.1:${port === '' ? 443 : port}`) : ['--listen', `${hostname}:${port}`];
    this.#served = await ServeProcess.startIn(
      this.network,
      this.program,
      ...options,
      '--access-log',
      this.#log,
      '--access-log-format',
      'json',
    );
  }

  /** As the page has them. */
  #secureOptions(listen: string): string[] {
    const [tokens, command] = blocksOf('The server');
    const file = this.scratch('tokens');
    writeFileSync(file, (tokens?.text ?? '').replace('TOKEN', TOKEN), { mode: 0o600 });
    const here: Record<string, string> = { '0.0.0.0:443': listen, 'cert.pem': CERTIFICATE, 'key.pem': KEY, tokens: file };
    const [, , ...options] = (command?.text ?? '').trim().split(' ');
    return options.map((word) => here[word] ?? word);
  }

  /** Makes a mirror with version 1.0.0, and puts it into the home. @param path where it is served */
  add({ mirror: mirrorOf, repository }: PackageTool, path = repository): PackageMirror {
    const mirror = mirrorOf({ scratch: (name) => this.scratch(name), url: `${this.url}/${path}`, isPrivate: this.#isSecure });
    this.#mirrors.push(mirror);
    mirror.publish('1.0.0');
    this.program.succeeds('add', mirror.dir, '--name', repository);
    return mirror;
  }

  /** Commits a version, beside the server, and resolves when that shows it. */
  async commit(mirror: PackageMirror, name: string, version: string): Promise<void> {
    mirror.publish(version);
    const { code, stderr } = await this.program.follow(() => {}, 'update', name, '--quiet');
    assert.equal(code, 0, stderr);
    await this.shown(name);
  }

  /** Resolves when the server shows what was committed last. */
  async shown(name: string): Promise<void> {
    const url = `${this.url}/${name}@${this.program.head(name).number}/`;
    const script = `while ((await fetch('${url}')).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));`;
    const [command = '', ...args] = this.network.command(process.execPath, '--input-type=module', '--eval', script);
    await promisify(execFile)(command, args, { timeout: MOST_MS });
  }

  /** When the newest snapshot was made, as addresses have it. No younger one is within the same second. */
  async dateOf(name: string): Promise<string> {
    const { time } = this.program.head(name);
    while (Date.now() < Date.parse(time) + 1000) await setTimeout(50);
    return compactTime(time);
  }

  /**
   * Runs `work` over and over, while updates of the mirror are committed beside it; each round sees the head
   * change once at the most. It ends after `rounds`, or later, when two versions have been found.
   * @param work installs with one command, and gives the version that it found
   * @returns the versions that were found
   */
  async besideCommits(mirror: PackageMirror, name: string, rounds: number, work: () => Promise<string>): Promise<Set<string>> {
    const found = new Set<string>();
    let round = 0;
    const committing = (async () => {
      for (let commits = 0, last = 0; round < Number.POSITIVE_INFINITY; ) {
        if (round === last) {
          await setTimeout(5);
          continue;
        }
        await this.commit(mirror, name, `1.${10 + commits++}.0`);
        // Of the round in which it ended: the next one begins in a later round, and so ends in a later one.
        last = round;
      }
    })();
    try {
      while (round++ < rounds || (found.size < 2 && round < MOST_ROUNDS)) found.add(await work());
    } finally {
      round = Number.POSITIVE_INFINITY;
      await committing;
    }
    return found;
  }

  /** @param meaning of what the page writes, besides the server, its certificate and the token */
  sandbox(meaning: Readonly<Record<string, string>> = {}, env: SandboxOptions['env'] = () => ({})): Sandbox {
    const { host, hostname } = new URL(this.url);
    const { plain, secure } = WRITTEN;
    const here = this.#isSecure
      ? { [`//${secure}`]: `//${host}`, [`@${secure}`]: `@${host}`, [`machine ${secure}`]: `machine ${host}`, [secure]: hostname, TOKEN }
      : { [plain]: this.url };
    const sandbox = new Sandbox({
      dir: this.scratch(`client-${this.#sandboxes++}`),
      by: (...command) => this.network.command(...command),
      meaning: { ...here, ...meaning },
      env,
    });
    if (this.#isSecure) sandbox.write('/etc/ssl/mirror.pem', readFileSync(CERTIFICATE, 'utf8'));
    return sandbox;
  }

  /** Also sees that the server has failed at nothing that it was asked for. */
  async close(): Promise<void> {
    if (this.#served !== undefined) {
      await this.#served.stop();
      const failures = readFileSync(this.#log, 'utf8')
        .split('\n')
        .filter((line) => /"status":5/.test(line));
      assert.deepEqual(failures, []);
    }
    this.network.close();
    for (const mirror of this.#mirrors) mirror.close?.();
    this.program.dispose();
  }
}
