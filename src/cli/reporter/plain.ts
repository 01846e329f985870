/** For logs and pipes: a line on how far the run is now and then, problems at once, the summary on stdout. */
import type { Output } from './output.ts';
import type { Reporter } from './reporter.ts';
import { StatusLine } from './status-line.ts';
import { errorLine, ProblemLines, shardLine, showResult } from './text.ts';

const EVERY_MS = 10_000;

export function plainReporter(output: Output, verbose: boolean, now: () => number): Reporter {
  let status = new StatusLine(now);
  let last = now();
  const problems = new ProblemLines({ namesAll: verbose });
  return {
    event(event) {
      status.take(event);
      const line = problems.of(event) ?? (verbose ? shardLine(event) : undefined);
      if (line !== undefined) output.note(line);
      showResult(event, output);
      // Another repository may follow, and begins anew.
      if (event.type === 'summary' || event.type === 'failed') {
        status = new StatusLine(now);
      } else if (status.hasCounts && now() - last >= EVERY_MS) {
        last = now();
        output.note(status.step === undefined ? progressLine(status) : stepLine(status, status.step));
      }
    },
    finish({ error }) {
      for (const line of problems.rest()) output.note(line);
      if (error !== undefined) output.note(errorLine(error));
    },
  };
}

function progressLine(status: StatusLine): string {
  return [status.files, status.bytes, status.shards, status.pace].join(', ');
}

function stepLine({ stepPace }: StatusLine, { label, done, total }: NonNullable<StatusLine['step']>): string {
  const count = `${label}: ${done}${total > 0 ? `/${total}` : ''}`;
  return stepPace === '' ? count : `${count}, ${stepPace}`;
}
