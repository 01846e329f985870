/** For tests: the real program in a scratch directory of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { assertDescribed } from './json-lines.ts';

export const BIN = fileURLToPath(new URL('../../../bin/shardctl.js', import.meta.url));
const FAULT = new URL('./fault.js', import.meta.url).href;
const FIXTURES = fileURLToPath(new URL('../../../fixtures', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Of stdout. */
  readonly lines: readonly string[];
}

export class Program {
  /** Where it runs. */
  readonly dir = mkdtempSync(join(tmpdir(), 'shardctl-program-'));
  readonly home = join(this.dir, 'home');
  readonly #more: NodeJS.ProcessEnv;

  /** @param env that it sees besides that of the test */
  constructor(env: NodeJS.ProcessEnv = {}) {
    this.#more = env;
  }

  run(...argv: string[]): Finished {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...argv], { cwd: this.dir, env: this.#env, encoding: 'utf8' });
    const lines = stdout.split('\n').slice(0, -1);
    if (argv.includes('--json')) assertDescribed(lines);
    return { code: status, stdout, stderr, lines };
  }

  /** As `run`, while the test goes on. @param onLine told of each line of stdout: with `--json`, of each event */
  async follow(onLine: (line: string) => void, ...argv: string[]): Promise<Finished> {
    const child = this.start(...argv);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout as Readable })) {
      lines.push(line);
      onLine(line);
    }
    if (argv.includes('--json')) assertDescribed(lines);
    return { code: await ended, stdout: lines.map((line) => `${line}\n`).join(''), stderr, lines };
  }

  start(...argv: string[]): ChildProcess {
    return this.startWith([], ...argv);
  }

  /** @param options of Node itself */
  startWith(options: readonly string[], ...argv: string[]): ChildProcess {
    return spawn(process.execPath, [...options, BIN, ...argv], { cwd: this.dir, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** As `start`. @param by makes of a command the one that runs it, for example in another network */
  startBy(by: (...command: string[]) => string[], ...argv: string[]): ChildProcess {
    const [command = '', ...args] = by(process.execPath, BIN, ...argv);
    return spawn(command, args, { cwd: this.dir, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** @param fault for `testing/fault.ts`: what happens at the Nth writing operation, for example `SIGTERM:7` */
  runWithFault(fault: string, ...argv: string[]): Finished {
    const env = { ...this.#env, SHARDCTL_FAULT: fault };
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', FAULT, BIN, ...argv], {
      cwd: this.dir,
      env,
      encoding: 'utf8',
    });
    return { code: status, stdout, stderr, lines: stdout.split('\n').slice(0, -1) };
  }

  /** As `run`, in a shell of POSIX after another command of it, such as `ulimit`. */
  runIn(before: string, ...argv: string[]): { readonly status: number | null; readonly stderr: string } {
    const script = `${before} && exec "$@"`;
    return spawnSync('sh', ['-c', script, 'sh', process.execPath, BIN, ...argv], { cwd: this.dir, env: this.#env, encoding: 'utf8' });
  }

  succeeds(...argv: string[]): Finished {
    return this.ends(0, ...argv);
  }

  ends(code: number, ...argv: string[]): Finished {
    const finished = this.run(...argv);
    assert.equal(finished.code, code, `${argv.join(' ')}: ${finished.stderr}`);
    return finished;
  }

  /** A user's mistake is one line on stderr and never a stack. */
  fails(code: number, line: RegExp, ...argv: string[]): void {
    const { code: actual, stdout, stderr } = this.run(...argv);
    assert.match(stderr, /^shardctl: [^\n]+\n$/);
    assert.match(stderr, line);
    assert.equal(actual, code, stderr);
    assert.equal(stdout, '');
  }

  /** The newest snapshot of a repository. */
  head(repository: string): { readonly number: number; readonly cid: string; readonly tree: string; readonly time: string } {
    const lines = this.succeeds('status', '--json').lines.map((line) => JSON.parse(line) as { name?: string; head?: never });
    return lines.find(({ name }) => name === repository)?.head as never;
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  dispose(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  get #env(): NodeJS.ProcessEnv {
    return { ...process.env, SHARDCTL_HOME: this.home, ...this.#more };
  }
}

/** A home as the version before wrote it; its peers lack what git does not keep: `tmp` in each. */
export const HOME_FORMAT_1 = join(FIXTURES, 'home-format-1');

/** A small real repository that ships with the project. */
export function fixture(name: 'npm' | 'debian' | 'rpm'): string {
  return join(FIXTURES, name);
}
