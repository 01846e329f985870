/** `--log-file` and `--log-format`: what a run tells, in a file. */
import { type Args, usage } from '../command-line/args.ts';
import { STARTED_BY_WATCH } from '../command-line/environment.ts';
import { type Absolute, chosenHome, variable } from '../command-line/surroundings.ts';
import { LogFile } from '../reporter/log-file.ts';
import { LOG_FORMATS, logReporter } from '../reporter/logged.ts';
import type { Reporter } from '../reporter/reporter.ts';

export interface OpenLogOptions {
  readonly absolute: Absolute;
  readonly version: string;
  readonly onTrouble: (message: string) => void;
}

/** @throws ShardctlError `USAGE` when there can be no such file, or no such format */
export function openLog(args: Args, { absolute, version, onTrouble }: OpenLogOptions): Reporter {
  const told = args.text('log-format') ?? 'text';
  const format = LOG_FORMATS.find((it) => it === told);
  if (format === undefined) throw usage(`--log-format "${told}" is not ${LOG_FORMATS.join(' or ')}`, args.command);
  const path = args.text('log-file');
  if (path === undefined) throw usage('--log-format goes with --log-file', args.command);
  if (path === '-') throw usage('--log-file - is no file: what a run tells is on stderr anyway, and with --json on stdout', args.command);
  const { write } = new LogFile({ path: absolute(path), mayBeGone: variable(STARTED_BY_WATCH) !== undefined, now: Date.now, onTrouble });
  const named = args.text('home');
  const home = named === undefined ? undefined : chosenHome(named, absolute).dir;
  return logReporter({ command: args.shown, version }, { format, write, now: Date.now, verbose: args.flag('verbose'), home });
}
