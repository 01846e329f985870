/** For cron: nothing unless something is wrong, so that a mail means that there is something to do. */
import type { Output } from '../output.ts';
import type { Reporter } from './reporter.ts';
import { errorLine, problemLine } from './text.ts';

export function quietReporter(output: Output): Reporter {
  return {
    event(event) {
      // A FIFO or a socket is skipped in every run and is nobody's mistake.
      if (event.type === 'entry' && event.problem === 'special') return;
      const line = problemLine(event);
      if (line !== undefined) output.note(line);
    },
    finish({ error }) {
      if (error !== undefined) output.note(errorLine(error));
    },
  };
}
