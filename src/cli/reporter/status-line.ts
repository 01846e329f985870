/** How far a run has come, kept up to date from its events: what both the bars and the plain lines show. */
import type { Event } from '../../core/events.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { formatSeconds } from './text.ts';

export interface PeerFill {
  readonly name: string;
  freeBytes: number;
  usedBytes: number;
}

/** Old speed counts for less and less: after this time for 1/e. */
const SMOOTHING_MS = 10_000;
/** Speed is not worth telling before this much of it was seen. */
const WARM_UP_MS = 1_000;

const NOTHING_YET = { files: 0, bytes: 0, done: false };

export class StatusLine {
  scanned = NOTHING_YET;
  imported = { files: 0, bytes: 0 };
  sealed = 0;
  placed = 0;
  readonly peers = new Map<string, PeerFill>();
  step: { label: string; done: number; total: number; bytes: number; totalBytes?: number } | undefined;

  readonly #now: () => number;
  #bytesPerMs = 0;
  #firstAt: number | undefined;
  #lastAt = 0;
  #lastBytes = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether anything was counted: a `repair` scans no source. */
  get hasCounts(): boolean {
    return this.step !== undefined || this.scanned !== NOTHING_YET;
  }

  take(event: Event): void {
    switch (event.type) {
      case 'scan':
        this.scanned = event;
        break;
      case 'import':
        this.imported = event;
        this.#measure(event.bytes);
        break;
      case 'sealed':
        this.sealed += 1;
        break;
      case 'placed':
        this.placed += 1;
        break;
      case 'peer':
        this.peers.set(event.name, { name: event.name, freeBytes: event.freeBytes, usedBytes: event.usedBytes });
        break;
      case 'progress':
        this.step = event;
        this.#measure(event.bytes);
        break;
      default:
    }
  }

  /** Of a step that passes bytes: `1.0 GiB/4.0 GiB, 312.0 MiB/s, 12 s left`; only as much of it as is known. Empty when it passes none. */
  get stepPace(): string {
    const { bytes, totalBytes = 0 } = this.step ?? { bytes: 0 };
    if (bytes === 0) return '';
    const words = [totalBytes > 0 ? `${formatSize(bytes)}/${formatSize(Math.max(bytes, totalBytes))}` : formatSize(bytes)];
    const speed = this.#speed;
    if (speed === undefined) return words.join(', ');
    words.push(`${formatSize(speed * 1000)}/s`);
    if (totalBytes > bytes) words.push(`${formatRemaining((totalBytes - bytes) / speed / 1000)} left`);
    return words.join(', ');
  }

  /** Bytes a millisecond, once it is worth telling. */
  get #speed(): number | undefined {
    return this.#bytesPerMs > 0 && this.#lastAt - (this.#firstAt ?? 0) >= WARM_UP_MS ? this.#bytesPerMs : undefined;
  }

  /** `312.0 MiB/s, 0:12 left`; while the source is still being counted there is no honest remaining time. */
  get pace(): string {
    const speed = this.#speed;
    const words = speed === undefined ? [] : [`${formatSize(speed * 1000)}/s`];
    if (!this.scanned.done) return [...words, 'still counting'].join(', ');
    const left = this.scanned.bytes - this.imported.bytes;
    if (left <= 0) return [...words, 'placing the last shards'].join(', ');
    if (speed !== undefined) words.push(`${formatRemaining(left / speed / 1000)} left`);
    return words.join(', ');
  }

  get files(): string {
    return `${formatCount(this.imported.files)}/${formatCount(Math.max(this.scanned.files, this.imported.files))}${this.scanned.done ? '' : '+'} files`;
  }

  get bytes(): string {
    return `${formatSize(this.imported.bytes)}/${formatSize(Math.max(this.scanned.bytes, this.imported.bytes))}${this.scanned.done ? '' : '+'}`;
  }

  get shards(): string {
    const waiting = this.sealed - this.placed;
    return `${formatCount(this.placed)} shards placed${waiting > 0 ? `, ${waiting} under way` : ''}`;
  }

  /** Speed is an average over time that forgets: a burst of unchanged files does not promise an early end for long. */
  #measure(bytes: number): void {
    const now = this.#now();
    if (this.#firstAt === undefined) {
      this.#firstAt = now;
    } else if (now > this.#lastAt) {
      const elapsed = now - this.#lastAt;
      const sinceStart = now - this.#firstAt;
      // At first a plain average, so that the start does not weigh for ever.
      const weight = Math.max(1 - Math.exp(-elapsed / SMOOTHING_MS), elapsed / sinceStart);
      this.#bytesPerMs += weight * ((bytes - this.#lastBytes) / elapsed - this.#bytesPerMs);
    } else {
      return;
    }
    this.#lastAt = now;
    this.#lastBytes = bytes;
  }
}

/** Whole seconds: more would be a promise. */
function formatRemaining(seconds: number): string {
  return seconds < 59.5 ? `${Math.max(1, Math.round(seconds))} s` : formatSeconds(seconds);
}
