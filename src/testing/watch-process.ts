/** `shardctl watch` of a program's home, as a process of its own, and what it tells. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { assertDescribed } from './json-lines.ts';
import type { Program } from './program.ts';

type Told = Readonly<Record<string, unknown>> & { readonly type: string };

export class WatchProcess {
  readonly events: Told[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #read = 0;
  #wake = () => {};
  #isOver = false;

  /** @param words arguments and options of `watch` */
  static start(program: Program, ...words: string[]): WatchProcess {
    return new WatchProcess(program.start('watch', '--json', ...words));
  }

  /** @param by makes of a command the one that runs it, for example with other limits */
  static startBy(by: (...command: string[]) => string[], program: Program, ...words: string[]): WatchProcess {
    return new WatchProcess(program.startBy(by, 'watch', '--json', ...words));
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#child.stderr?.pipe(process.stderr);
    createInterface({ input: this.#child.stdout as Readable }).on('line', (line) => {
      this.events.push(JSON.parse(line) as Told);
      this.#wake();
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    void this.#ended.then(() => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** The next event of this type, of those that were not waited for yet. */
  async next(type: string): Promise<Told> {
    for (;;) {
      const event = this.events[this.#read++];
      if (event !== undefined) assertDescribed([JSON.stringify(event)]);
      if (event?.type === type) return event;
      if (event !== undefined) continue;
      this.#read--;
      assert.equal(this.#isOver, false, `ended before "${type}": ${JSON.stringify(this.events.slice(-3))}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Waits for the end of an update. @returns what it looked at: so many names, or null for everything */
  async updated(code = 0): Promise<unknown> {
    const { names } = await this.next('updating');
    assert.equal((await this.next('updated')).code, code);
    return names;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ticks of the processor that it has used so far, its children left out. */
  ticks(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1');
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return Number(user) + Number(system);
  }

  /** @returns its exit code */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.signal(signal);
    return await this.#ended;
  }
}
