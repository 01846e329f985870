/** Waits for the events of all sources that a process watches, in one thread, which does nothing until there are any. */
import { closeSync } from 'node:fs';
import { errnoName } from '../core/errno.ts';
import type { InotifyCalls } from '../core/inotify-calls.ts';
import { sleep } from '../core/waiting.ts';

/** While much changes, the events of so long are read at once. The kernel's queue has room for more: for 16,384 of each source. */
const BREATH_MS = 20;

export class EventDesk {
  readonly calls: InotifyCalls;
  readonly #readers = new Map<number, () => void>();
  /** Can be read when the wait is to end. */
  readonly #bell: number;
  #turned: (() => void)[] = [];
  #isRunning = false;
  #isClosed = false;

  /** @throws Error with an errno when this process may open no more files */
  constructor(calls: InotifyCalls) {
    this.calls = calls;
    this.#bell = calls.bell();
    if (this.#bell >= 0) return;
    const code = errnoName(-this.#bell);
    throw Object.assign(new Error(`${code}: nothing can be waited for`), { code });
  }

  /** @param onReadable reads what there is, without waiting */
  add(descriptor: number, onReadable: () => void): void {
    this.#readers.set(descriptor, onReadable);
    if (this.#isRunning) this.calls.ring(this.#bell);
    else void this.#run();
  }

  /** Resolves when nobody waits for the descriptor any more: only then does closing it free its watches. */
  async remove(descriptor: number): Promise<void> {
    if (!this.#readers.delete(descriptor) || this.#isClosed) return;
    const turned = new Promise<void>((resolve) => this.#turned.push(resolve));
    this.calls.ring(this.#bell);
    await turned;
  }

  /** Ends the wait: a process whose thread waits does not end. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.calls.ring(this.#bell);
    if (!this.#isRunning) closeSync(this.#bell);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (!this.#isClosed) {
      await this.calls.waitForAny([this.#bell, ...this.#readers.keys()]);
      this.calls.hush(this.#bell);
      for (const resolve of this.#turned.splice(0)) resolve();
      if (this.#isClosed) break;
      for (const onReadable of [...this.#readers.values()]) onReadable();
      await sleep(BREATH_MS);
    }
    for (const resolve of this.#turned.splice(0)) resolve();
    closeSync(this.#bell);
  }
}
