/** `shardctl serve` of a program's home, as a process of its own. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { LoneNetwork } from './package-tools/lone-network.ts';
import type { Program } from './program.ts';

export class ServeProcess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly #child: ChildProcess;

  /** @param options of `serve` */
  static async start(program: Program, ...options: string[]): Promise<ServeProcess> {
    return await ServeProcess.#answering(program.start('serve', ...options));
  }

  /** As `start`, in a network with nothing else in it. */
  static async startIn(network: Pick<LoneNetwork, 'command'>, program: Program, ...options: string[]): Promise<ServeProcess> {
    return await ServeProcess.#answering(program.startBy((...command) => network.command(...command), 'serve', ...options));
  }

  static async #answering(child: ChildProcess): Promise<ServeProcess> {
    const said: string[] = [];
    const url = new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream as Readable }).on('line', (line) => {
          said.push(line);
          const [found] = /https?:\/\/[\w.:[\]]+/.exec(line) ?? [];
          if (found !== undefined) resolve(found);
        });
      }
      child.once('exit', (code) => reject(new Error(`serve ended with ${code}: ${said.join('\n')}`)));
    });
    return new ServeProcess(await url, child);
  }

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }
}
