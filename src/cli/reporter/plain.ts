/** For logs and pipes: a line on how far the run is now and then, problems at once, the summary on stdout. */
import type { Output } from './output.ts';
import type { Reporter } from './reporter.ts';
import { Standing } from './standing.ts';
import { errorLine, problemLine, resultLines, shardLine } from './text.ts';

const EVERY_MS = 10_000;

export function plainReporter(output: Output, verbose: boolean, now: () => number): Reporter {
  let standing = new Standing(now);
  let last = now();
  return {
    event(event) {
      standing.take(event);
      const line = problemLine(event) ?? (verbose ? shardLine(event) : undefined);
      if (line !== undefined) output.note(line);
      for (const text of resultLines(event)) output.line(text);
      // Another repository may follow, and begins anew.
      if (event.type === 'summary' || event.type === 'failed') {
        standing = new Standing(now);
      } else if (standing.hasCounts && now() - last >= EVERY_MS) {
        last = now();
        output.note(standing.step === undefined ? progressLine(standing) : stepLine(standing.step));
      }
    },
    finish({ error }) {
      if (error !== undefined) output.note(errorLine(error));
    },
  };
}

function progressLine(standing: Standing): string {
  return [standing.files, standing.bytes, standing.shards, standing.pace].join(', ');
}

function stepLine(step: NonNullable<Standing['step']>): string {
  return `${step.label}: ${step.done}${step.total > 0 ? `/${step.total}` : ''}`;
}
