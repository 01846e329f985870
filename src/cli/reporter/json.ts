/** For programs: every event as one line of JSON on stdout, and `{"type":"exit",…}` as the last one. */
import type { Output } from './output.ts';
import { type ExitLine, JSON_VERSION, type Reporter } from './reporter.ts';
import { errorLine } from './text.ts';

/** What `-q` leaves out: how far a run has come, rather than what came of it. */
const PROGRESS = new Set(['started', 'scan', 'import', 'sealed', 'placed', 'peer', 'progress', 'watching', 'updating']);

export function jsonReporter(output: Output, quiet: boolean): Reporter {
  return {
    event(event) {
      if (!quiet || !PROGRESS.has(event.type)) output.json(event);
    },
    finish(exit) {
      const line: ExitLine = { type: 'exit', ...exit, v: JSON_VERSION };
      output.json(line);
      // A disk that is full takes no line of stdout.
      if (output.closed && exit.error !== undefined) output.note(errorLine(exit.error));
    },
  };
}
