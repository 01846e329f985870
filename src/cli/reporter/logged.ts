/** What goes into a log file (`--log-file`): each line with its time and process, since several runs may write into one file. */
import process from 'node:process';
import { jsonReporter } from './json.ts';
import { Output, type Sink } from './output.ts';
import { plainReporter } from './plain.ts';
import type { Reporter } from './reporter.ts';

export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** The first line of a run in a log file of JSON. */
export interface RunLine {
  readonly type: 'run';
  /** Without its options. */
  readonly command: string;
  readonly version: string;
}

export interface LogOptions {
  readonly format: LogFormat;
  /** Takes a line without its end. */
  readonly write: (line: string) => void;
  readonly now: () => number;
  readonly verbose: boolean;
  /** Absolute path, for a run that was told its home: commands in the text name it (`Output.nameHome`). */
  readonly home: string | undefined;
}

/** Tells all of a run, whatever is told elsewhere. */
export function logReporter({ command, version }: Omit<RunLine, 'type'>, { format, write, now, verbose, home }: LogOptions): Reporter {
  const time = () => new Date(now()).toISOString();
  const output = (begin: (line: string) => string) => new Output(sink(begin, write), sink(begin, write));
  if (format === 'json') {
    const its = output((line) => `{"time":"${time()}","pid":${process.pid},${line.slice(1)}`);
    its.json({ type: 'run', command, version } satisfies RunLine);
    return jsonReporter(its, false);
  }
  const its = output((line) => `${time()} [${process.pid}] ${line}`);
  if (home !== undefined) its.nameHome(home);
  its.note(`${command}, version ${version}`);
  const plain = plainReporter(its, verbose, now);
  return {
    event: (event) => plain.event(event),
    finish: (exit) => {
      plain.finish(exit);
      its.note(`ends with ${exit.code}`);
    },
  };
}

/** A stream of which each call has whole lines. */
function sink(begin: (line: string) => string, write: (line: string) => void): Sink {
  return {
    write: (chunk, done) => {
      for (const line of String(chunk).split('\n').slice(0, -1)) write(begin(line));
      done?.();
      return true;
    },
    once: () => undefined,
    on: () => undefined,
  };
}
