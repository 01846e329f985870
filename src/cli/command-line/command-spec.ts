/** What is known of a command before it runs: read by the parser (`args.ts`), the help and the completion. */
import type { OptionName } from './options.ts';

export interface CommandSpec {
  /** The words that select it, for example `peers ls`. */
  readonly words: string;
  /** Its arguments as help shows them; those in brackets may be left out, and one with `…` may be repeated. */
  readonly arguments: readonly string[];
  readonly summary: string;
  /** The summary in a line of the list of all commands; absent where the whole of it has room there. */
  readonly brief?: string;
  readonly options: readonly OptionName[];
  readonly examples: readonly string[];
  /** How long it may take to stop when it is asked to, in milliseconds; absent: as long as every other command. */
  readonly graceMs?: number;
  /** It starts other runs, which tell how far they are; it is none itself that `status` would show. */
  readonly startsRuns?: true;
}

/** Accepted by every command. */
export const COMMON: readonly OptionName[] = [
  'home',
  'json',
  'quiet',
  'verbose',
  'wide',
  'no-progress',
  'log-file',
  'log-format',
  'help',
  'version',
];

/** Options of places that a run writes to besides what it is for, without a question: files that it appends to or replaces, a directory. */
export const WRITTEN_PLACES = ['log-file', 'metrics-file', 'access-log', 'html', 'dest'] as const satisfies readonly OptionName[];

/** Accepted by every command that a timer may run. */
export const PROBLEM: readonly OptionName[] = ['on-problem', 'hook-timeout'];

/** The rules of what `forget` keeps. */
export const KEEP: readonly OptionName[] = [
  'keep-last',
  'keep-hourly',
  'keep-daily',
  'keep-weekly',
  'keep-monthly',
  'keep-yearly',
  'keep-within',
  'keep-tag',
];

/** Accepted by every command that moves a head and is no timer's. */
export const COMMIT: readonly OptionName[] = ['on-commit', 'hook-timeout'];

/** Accepted by every command that puts shards on peers. */
export const TRANSFER: readonly OptionName[] = ['allocate-by', 'transfers', 'bwlimit'];
