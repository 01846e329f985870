/** Where the bytes of a body come from: a file, which can be begun anew anywhere, or a stream, which cannot. */
import type { Window } from '../../read/files/file-bytes.ts';
import type { SliceBuffers } from './slice-buffers.ts';
import { bytesOf } from './writing.ts';

/** @param areCopied as `fileBytes` has it */
export type Windows = (from: number, to: number, areCopied?: boolean) => AsyncGenerator<Window, void, void>;

/**
 * Keeps open whatever has the bytes from `from` on and before `to`, also when another run removes it.
 * @returns lets go of that, and resolves when nothing is read any more
 */
export type HoldsBytes = (from: number, to: number) => () => Promise<void>;

export interface Parts {
  /** Valid until the next call; undefined at the end. */
  next(): Promise<Window | undefined>;
  /** Lets go of everything. What comes next goes on behind what was given out. */
  end(): Promise<void>;
  /** The body is over: nothing comes next. */
  close(): Promise<void>;
  /** How many windows are in memory while the caller has one. */
  readonly windowsHeld: number;
  /**
   * Gives copies of at most `most` bytes of the next leaf, until `send` says that it wants no more; what it was given counts as sent, and
   * goes back to `buffers` through `send`.
   * Absent where a body cannot be begun anew.
   */
  inSlices?(most: number, buffers: SliceBuffers, send: (slice: Uint8Array) => Promise<boolean>): Promise<void>;
}

export class FileParts implements Parts {
  readonly #windows: Windows;
  readonly #hold: HoldsBytes | undefined;
  readonly #from: number;
  readonly #to: number;
  #at: number;
  #open: AsyncGenerator<Window, void, void> | undefined;
  /** Given out since `#open` was opened. */
  #count = 0;
  #letGo: (() => Promise<void>) | undefined;

  /** @param hold called with all of the body once its first bytes were given out */
  constructor(windows: Windows, from: number, to: number, hold?: HoldsBytes) {
    this.#windows = windows;
    this.#hold = hold;
    this.#from = from;
    this.#at = from;
    this.#to = to;
  }

  /** From the second window on, the next is read ahead. */
  get windowsHeld(): number {
    return this.#count > 1 ? 2 : 1;
  }

  async next(): Promise<Window | undefined> {
    this.#open ??= this.#windows(this.#at, this.#to);
    const { value } = await this.#open.next();
    if (value === undefined) return undefined;
    this.#advance(bytesOf(value));
    this.#count++;
    return value;
  }

  async end(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    this.#count = 0;
    await open?.return();
  }

  async close(): Promise<void> {
    await this.end();
    await this.#letGo?.();
  }

  #advance(bytes: number): void {
    this.#at += bytes;
    // Not before: somebody waits for the first bytes. Most files have no others.
    if (this.#at < this.#to) this.#letGo ??= this.#hold?.(this.#from, this.#to);
  }

  async inSlices(most: number, buffers: SliceBuffers, send: (slice: Uint8Array) => Promise<boolean>): Promise<void> {
    await this.end();
    if (this.#at >= this.#to) return;
    // The first window is one leaf, and nothing is read ahead of it.
    for await (const window of this.#windows(this.#at, this.#to, true)) {
      for (const part of window) {
        for (let at = 0; at < part.length; at += most) {
          const slice = buffers.take(Math.min(most, part.length - at));
          slice.set(part.subarray(at, at + slice.length));
          this.#advance(slice.length);
          if (!(await send(slice))) return;
        }
      }
      return;
    }
  }
}

export class StreamParts implements Parts {
  readonly #pieces: AsyncGenerator<Uint8Array>;

  constructor(pieces: AsyncGenerator<Uint8Array>) {
    this.#pieces = pieces;
  }

  get windowsHeld(): number {
    return 2;
  }

  async next(): Promise<Window | undefined> {
    const { value } = await this.#pieces.next();
    return value === undefined ? undefined : [value as Uint8Array];
  }

  async end(): Promise<void> {
    await this.#pieces.return(undefined);
  }

  async close(): Promise<void> {
    await this.end();
  }
}
