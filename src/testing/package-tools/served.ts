/** `shardctl serve` of a program's home, in a network with nothing else in it. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Program } from '../program.ts';
import type { LoneNetwork } from './lone-network.ts';

export class Served {
  /** Without a slash at its end. */
  readonly url: string;
  readonly #child: ChildProcess;

  /** @param options of `serve` */
  static async start(program: Program, network: Pick<LoneNetwork, 'command'>, ...options: string[]): Promise<Served> {
    const child = program.startBy((...command) => network.command(...command), 'serve', ...options);
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
    return new Served(await url, child, said);
  }

  /** All that it has said so far. */
  readonly said: readonly string[];

  private constructor(url: string, child: ChildProcess, said: readonly string[]) {
    this.url = url;
    this.#child = child;
    this.said = said;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }
}
