/** Tells other processes how far this run is, by a file in the home (`home/runs/running.ts`). Loaded by runs that take longer than a second. */
import { existsSync } from 'node:fs';
import process from 'node:process';
import type { Event } from '../../core/events.ts';
import type { HomePaths } from '../../home/home.ts';
import { RunFile, type RunState } from '../../home/runs/running.ts';
import type { Args } from '../command-line/args.ts';
import { systemProcesses } from './process-table.ts';

const EVERY_MS = 1000;
/** The file is written again although nothing has changed: on another machine its age shows that the run is alive. */
const BEAT_MS = 10_000;

const NOTHING_YET = { sealed: 0, placed: 0, placedBytes: 0 };

/** Whether a run is one that others want to see: it changes the home, or verifies it. A dry run writes nothing, and no run makes the home for this. */
export function isSeen(args: Args, home: HomePaths): boolean {
  const changes = args.command.options.includes('lock-wait') && !args.flag('dry-run');
  return (changes || args.command.words === 'verify') && existsSync(home.config);
}

export class RunWatch {
  readonly #file: RunFile;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #state: RunState;
  #isWritten = false;
  #writtenAt = 0;

  constructor(args: Args, home: HomePaths, now: () => number) {
    const { words } = args.command;
    const processes = systemProcesses();
    this.#file = new RunFile(
      home.running,
      { ...processes.self(), command: args.shown, at: new Date(now() - process.uptime() * 1000).toISOString() },
      processes,
    );
    this.#now = now;
    this.#state = { words, ...NOTHING_YET, problems: 0 };
    this.#timer = setInterval(() => this.#write(), EVERY_MS).unref();
    setImmediate(() => this.#write());
  }

  take(event: Event): void {
    const state = stateAfter(this.#state, event);
    if (state === this.#state) return;
    this.#state = state;
    this.#isWritten = false;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#file.remove();
  }

  #write(): void {
    const now = this.#now();
    if (this.#isWritten && now - this.#writtenAt < BEAT_MS) return;
    this.#file.write(this.#state);
    this.#isWritten = true;
    this.#writtenAt = now;
  }
}

function stateAfter(state: RunState, event: Event): RunState {
  switch (event.type) {
    case 'started':
      return { words: state.words, repository: event.repository, ...NOTHING_YET, problems: state.problems };
    case 'scan':
      return { ...state, scanned: { files: event.files, bytes: event.bytes, done: event.done } };
    case 'import':
      return { ...state, imported: { files: event.files, bytes: event.bytes } };
    case 'sealed':
      return { ...state, sealed: state.sealed + 1 };
    case 'placed':
      return { ...state, placed: state.placed + 1, placedBytes: state.placedBytes + event.bytes };
    case 'progress':
      return { ...state, step: { label: event.label, done: event.done, total: event.total, bytes: event.bytes } };
    case 'entry':
    case 'warning':
    case 'damage':
    case 'too-few':
    case 'no-answer':
    case 'failed':
    case 'step-failed':
      return { ...state, problems: state.problems + 1 };
    default:
      return state;
  }
}
