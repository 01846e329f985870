/** Keeps what the hook `--on-problem` is told of, and loads it when there is something. */
import { EXIT, isShortage, messageOf } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import type { Args } from '../command-line/args.ts';
import { chosenHome, fromHere } from '../command-line/surroundings.ts';
import { News } from '../reporter/news.ts';
import type { Output } from '../reporter/output.ts';
import type { Exit } from '../reporter/reporter.ts';

/** So many events of a run are kept for whoever comes later. */
export const MOST_EARLY_EVENTS = 10_000;

/** Events that say that something is wrong, or not any more. */
const PROBLEMS: ReadonlySet<Event['type']> = new Set([
  'entry',
  'warning',
  'damage',
  'too-few',
  'no-answer',
  'back',
  'mended',
  'failed',
  'step-failed',
  'at-risk',
  'contradiction',
  'gate',
]);

/** Of these the exit code decides whether the hook is called: a gate that only warns, for one, does so in every run. */
const EXPLAINED_BY_EXIT: ReadonlySet<Event['type']> = new Set(['started', 'entry', 'contradiction', 'gate']);

export class ProblemWatch {
  readonly #args: Args;
  readonly #output: Output;
  readonly #version: () => string;
  readonly #news = new News();
  readonly #events: Event[] = [];
  #isTrouble = false;

  /** @param version of the program */
  constructor(args: Args, output: Output, version: () => string) {
    this.#args = args;
    this.#output = output;
    this.#version = version;
  }

  take(event: Event): void {
    // A FIFO or a socket in the source is skipped in every run, and is nobody's mistake.
    if (event.type === 'entry' && event.problem === 'special') return;
    if (!PROBLEMS.has(event.type) && event.type !== 'started') return;
    const isNews = this.#news.has(event);
    // A warning with a cause is about a peer: one that is away, or full.
    this.#isTrouble ||= event.type === 'warning' ? isNews && event.cause !== undefined : isNews && !EXPLAINED_BY_EXIT.has(event.type);
    if (this.#events.length < MOST_EARLY_EVENTS) this.#events.push(event);
  }

  async end(exit: Exit): Promise<void> {
    const isStopped = exit.code === EXIT.interrupted || exit.code === EXIT.terminated;
    const args = this.#args;
    if (isStopped || (exit.code === EXIT.done && !this.#isTrouble) || args.flag('dry-run')) return;
    const quiet = args.flag('quiet') || args.flag('root-only');
    try {
      const { runProblemHook } = await import('./problem-hook.ts');
      const home = chosenHome(args.text('home'), fromHere());
      const run = { args, home, version: this.#version(), output: this.#output, exit, events: this.#events, now: Date.now(), quiet };
      await runProblemHook(run);
    } catch (error) {
      // Where no home can be named, or the program cannot be loaded, the run has said so; where this process may open no more files, it
      // has said that, too, and what helps.
      if (!isShortage(error)) this.#output.note(`warning: the hook on-problem could not be run: ${messageOf(error)}`);
    }
  }
}
