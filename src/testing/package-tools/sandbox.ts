/** Where a package tool runs: a home, a root and a network of its own. What it reads, writes and reaches of the machine are its own files. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Block } from './page.ts';

/** Far beyond what any of them takes; a tool that waits for ever is killed. */
const MOST_MS = 120_000;

export interface Ended {
  readonly code: number | null;
  /** What it has printed, both streams in the order of their coming. */
  readonly output: string;
}

export interface SandboxOptions {
  /** Not there yet. */
  readonly dir: string;
  readonly by: (...command: string[]) => string[];
  /** What stands in the page, and what is meant by it here; longer ones first. */
  readonly meaning: Readonly<Record<string, string>>;
  /** What commands see besides a home and a path. */
  readonly env: (dir: string) => NodeJS.ProcessEnv;
}

export class Sandbox {
  readonly dir: string;
  /** Stands for `/` where a tool can be told so. */
  readonly root: string;
  readonly home: string;
  readonly work: string;
  readonly #bin: string;
  readonly #options: SandboxOptions;

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.dir = options.dir;
    this.root = join(options.dir, 'root');
    this.home = join(options.dir, 'home');
    this.work = join(options.dir, 'work');
    this.#bin = join(options.dir, 'bin');
    for (const dir of [this.root, this.home, this.work, this.#bin, join(options.dir, 'tmp')]) mkdirSync(dir, { recursive: true });
  }

  /** Whoever calls `name` calls this command, with what follows. */
  alias(name: string, ...command: string[]): void {
    const file = join(this.#bin, name);
    writeFileSync(file, `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(' ')} "$@"\n`);
    chmodSync(file, 0o755);
  }

  /** Does what blocks of a page say: writes the files, runs the commands. @returns what the commands have printed */
  async follow(blocks: readonly Block[]): Promise<string> {
    let output = '';
    for (const { file, text } of blocks) {
      if (file !== undefined) this.write(file, text);
      else output += await this.sh(this.#meant(text));
    }
    return output;
  }

  /** @param path as the page has it: from the root, or from `~` */
  write(path: string, text: string): void {
    const file = this.place(path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, this.#meant(text), { mode: 0o600 });
  }

  /** Where the file of a path of the page lies. */
  place(path: string): string {
    if (path.startsWith('~/')) return join(this.home, path.slice(2));
    return path.startsWith('/') ? join(this.root, path) : join(this.work, path);
  }

  read(path: string): string {
    return readFileSync(this.place(path), 'utf8');
  }

  async sh(script: string): Promise<string> {
    const { code, output } = await this.run('sh', '-euc', script);
    assert.equal(code, 0, `${script}\n${output}`);
    return output;
  }

  async run(...command: string[]): Promise<Ended> {
    const [program = '', ...args] = this.#options.by(...command);
    const child = spawn(program, args, { cwd: this.work, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'], timeout: MOST_MS });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, output }));
    });
  }

  #meant(text: string): string {
    const meaning = { ...this.#options.meaning, '/etc/': `${this.root}/etc/` };
    return Object.entries(meaning).reduce((meant, [written, here]) => meant.replaceAll(written, here), text);
  }

  get #env(): NodeJS.ProcessEnv {
    const path = [this.#bin, process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter);
    return { PATH: path, HOME: this.home, TMPDIR: join(this.#options.dir, 'tmp'), LANG: 'C.UTF-8', ...this.#options.env(this.dir) };
  }
}
