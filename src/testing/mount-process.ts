/** `shardctl mount` of a program's home, as a process of its own. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { withoutFuse } from './fault-mount/fault-mount.ts';
import type { Program } from './program.ts';

/** For `skip` of a test: why nothing can be mounted here, or false. When `SHARDCTL_TEST_REQUIRE` lists `fuse`, it must be possible. */
export function withoutMounts(): string | false {
  const reason = withoutFuse() ?? false;
  if (reason !== false && (process.env.SHARDCTL_TEST_REQUIRE ?? '').split(',').includes('fuse'))
    throw new Error(`fuse is required: ${reason}`);
  return reason;
}

export class MountProcess {
  /** Where it is mounted. */
  readonly dir: string;
  readonly pid: number;
  /** Lines that it has written to stderr. */
  readonly said: readonly string[];
  readonly #child: ChildProcess;

  /** @param name of the directory, which is made in that of the program @throws with what it said when it ends instead */
  static async start(program: Program, ref: string, name = 'mount', ...options: string[]): Promise<MountProcess> {
    const dir = program.path(name);
    mkdirSync(dir, { recursive: true });
    return await MountProcess.of(program.start('mount', ref, dir, ...options), dir);
  }

  /** @param child `shardctl mount` as it was started */
  static async of(child: ChildProcess, dir: string): Promise<MountProcess> {
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stderr as Readable }).on('line', (line) => {
        said.push(line);
        if (line.includes('is mounted on')) resolve();
      });
      child.once('exit', (code) => reject(new Error(`mount ended with ${code}: ${said.join('\n')}`)));
    });
    return new MountProcess(child, dir, said);
  }

  private constructor(child: ChildProcess, dir: string, said: readonly string[]) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.dir = dir;
    this.said = said;
  }

  /** @returns its exit code */
  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Whatever has become of it, nothing is mounted afterwards. */
  async dispose(): Promise<void> {
    spawnSync('umount', ['-l', this.dir]);
    this.kill('SIGKILL');
    await this.ended();
  }
}
