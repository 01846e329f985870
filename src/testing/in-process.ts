/** For tests that run very many commands: the program without a process of its own. What it prints is what it would print with `--json`. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseCommandLine } from '../cli/command-line/args.ts';
import type { Context } from '../cli/command-line/context.ts';
import { loadCommand } from '../cli/load-command.ts';
import { jsonReporter } from '../cli/reporter/json.ts';
import { Output } from '../cli/reporter/output.ts';
import { ShardctlError } from '../core/errors.ts';
import { homePaths } from '../home/home.ts';
import { assertDescribed } from './json-lines.ts';
import { MemorySink } from './memory-sink.ts';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };

export interface Ended {
  readonly code: number;
  readonly stdout: string;
}

/** @param home its directory. @throws whatever the program would call a bug, or a failed system call */
export async function runInProcess(home: string, argv: readonly string[]): Promise<Ended> {
  const parsed = parseCommandLine([...argv, '--json']);
  if (parsed.kind !== 'run') throw new Error(`not a command to run: ${argv.join(' ')}`);
  const stdout = new MemorySink();
  const output = new Output(stdout, new MemorySink());
  const reporter = jsonReporter(output, false);
  const context: Context = {
    args: parsed.args,
    home: homePaths(home),
    absolute: (path) => resolve(home, path),
    umask: 0o022,
    version,
    output,
    reporter,
    json: true,
    quiet: false,
    watched: false,
    signal: new AbortController().signal,
    secondThread: undefined,
    now: Date.now,
    onExit: () => {},
    onTold: () => {},
  };
  try {
    const code = await (await loadCommand(parsed.args.command.words))(context);
    reporter.finish({ code });
    return ended(code);
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    reporter.finish({ code: error.exitCode, error: { code: error.code, message: error.message } });
    return ended(error.exitCode);
  }

  function ended(code: number): Ended {
    assertDescribed(stdout.text.split('\n').slice(0, -1));
    return { code, stdout: stdout.text };
  }
}
