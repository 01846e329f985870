/** For tests: the places that the pages for operators speak of, so that their commands are run as they stand there. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { BIN, fixture } from './program.ts';

/** Where a path of the pages begins, of those that are below the root of the world. */
const PATH_OF_PAGES = /(?<=^|[\s=('":])\/(?=(?:etc|home|media|mnt|run|srv|usr\/local|var)\/)/g;

/** The home is /var/lib/shardctl, /srv/debian is the repository `debian` with two snapshots, and its peers are in /mnt. */
export class OperatorsWorld {
  /** What stands for `/`. */
  readonly root = fs.mkdtempSync(join(tmpdir(), 'shardctl-operator-'));
  /** Copies of it, by name. */
  readonly #kept = new Map<string, string>();

  constructor() {
    this.make();
    this.keep('untouched');
  }

  /** Where a path of the pages is. */
  at(path: string): string {
    return join(this.root, path);
  }

  /** Runs what stands on a page. `said` is stderr, then stdout, with the paths of the pages. */
  sh(command: string): { code: number | null; said: string } {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', this.#here(command)], { cwd: this.root, env: this.#env, encoding: 'utf8' });
    return { code: status, said: `${stderr}${stdout}`.replaceAll(this.root, '') };
  }

  /** As `sh`, of a command that goes on until it is stopped: signals reach it, and no shell before it. */
  start(command: string): ChildProcess {
    return spawn('sh', ['-c', `exec ${this.#here(command)}`], { cwd: this.root, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  shardctl(words: string): void {
    const { code, said } = this.sh(`shardctl ${words}`);
    assert.equal(code, 0, `${words}: ${said}`);
  }

  make(): void {
    for (const dir of ['home/operator', 'srv', 'mnt', 'var/lib', 'bin']) fs.mkdirSync(this.at(dir), { recursive: true });
    fs.symlinkSync(BIN, this.at('bin/shardctl'));
    fs.cpSync(fixture('debian'), this.at('srv/debian'), { recursive: true, verbatimSymlinks: true });
    const addPeer = (disk: string) => this.shardctl(`peers add local /mnt/${disk} --name ${disk}`);
    // The pages lose disk1: it has a shard for certain, as there are only two peers so far.
    for (const disk of ['disk1', 'disk2']) addPeer(disk);
    this.shardctl('add /srv/debian --replication 2 --gate auto -q');
    addPeer('disk3');
    fs.writeFileSync(this.at('srv/debian/NEWS'), 'news\n');
    this.shardctl('update -q');
  }

  /** A command that has no business here: its arguments are noted, and nothing else happens. */
  standIn(name: string): void {
    fs.writeFileSync(this.at(`bin/${name}`), `#!/bin/sh\necho "$*" >> "${this.at(`bin/${name}.asked`)}"\n`, { mode: 0o755 });
  }

  /** The arguments of each call of a stand-in, in a line each. */
  askedOf(name: string): string {
    return fs.existsSync(this.at(`bin/${name}.asked`)) ? fs.readFileSync(this.at(`bin/${name}.asked`), 'utf8') : '';
  }

  empty(): void {
    for (const name of fs.readdirSync(this.root)) fs.rmSync(this.at(name), { recursive: true, force: true });
  }

  /** For `restore`: as it is now. @param name what was kept by it before is not kept any more */
  keep(name: string): void {
    const dir = `${this.root}.${name}`;
    fs.rmSync(dir, { recursive: true, force: true });
    this.#copyWithTimes(this.root, dir);
    this.#kept.set(name, dir);
  }

  isKept(name: string): boolean {
    return this.#kept.has(name);
  }

  /** As it was made first, or kept: in the same place, so that it is the same home. */
  restore(name = 'untouched'): void {
    const dir = this.#kept.get(name);
    assert.ok(dir !== undefined, name);
    this.empty();
    this.#copyWithTimes(dir, this.root);
  }

  dispose(): void {
    for (const dir of [this.root, ...this.#kept.values()]) fs.rmSync(dir, { recursive: true, force: true });
  }

  get #env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      HOME: this.at('home/operator'),
      SHARDCTL_HOME: this.at('var/lib/shardctl'),
      PATH: `${this.at('bin')}${delimiter}${process.env.PATH}`,
    };
  }

  #here(command: string): string {
    return command.replaceAll(PATH_OF_PAGES, `${this.root}/`);
  }

  /** To the nanosecond, which `fs.cpSync` does not do: nothing in the source looks changed. */
  #copyWithTimes(from: string, to: string): void {
    const { status, stderr } = spawnSync('cp', ['-a', `${from}/.`, to], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }
}
