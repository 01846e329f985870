/** For a terminal: a bar for files, for data and for each peer, problems above them, the summary on stdout. Sole owner of cli-progress. */
import cliProgress from 'cli-progress';
import { displayLine } from '../../core/display.ts';
import { formatSize } from '../../home/sizes.ts';
import type { Output } from './output.ts';
import type { Reporter } from './reporter.ts';
import { StatusLine } from './status-line.ts';
import { errorLine, ProblemLines, shardLine, showResult } from './text.ts';

/** How full a line is, from 0 to 1 (undefined: no bar, because there is nothing to measure against), and what stands beside it. */
interface Line {
  readonly label: string;
  readonly full: number | undefined;
  readonly text: string;
}

const BAR_COLUMNS = 24;
const LABEL_COLUMNS = 10;
/** More peers than this would not leave the terminal to anything else. */
const MOST_PEERS = 8;

export function progressReporter(output: Output, verbose: boolean, now: () => number): Reporter {
  let status = new StatusLine(now);
  let bars = barsOn(output);
  const lines = new Set<string>();
  const problems = new ProblemLines({ namesAll: verbose });

  function show(key: string, line: () => Line): void {
    if (lines.has(key)) return;
    lines.add(key);
    bars.create(1, 0, { line });
  }

  /** What goes on draws them anew. */
  function takeDown(): void {
    if (!bars.isActive) return;
    bars.stop();
    bars = barsOn(output);
    lines.clear();
  }
  output.drawnOver(takeDown);

  return {
    event(event) {
      status.take(event);
      const message = problems.of(event) ?? (verbose ? shardLine(event) : undefined);
      if (message !== undefined) bars.isActive ? bars.log(`${output.shown(message)}\n`) : output.note(message);
      switch (event.type) {
        case 'scan':
        case 'import':
          show('files', () => ({ label: 'files', full: share(status.imported.files, status.scanned), text: status.files }));
          show('data', () => ({
            label: 'data',
            full: share(status.imported.bytes, status.scanned, 'bytes'),
            text: `${status.bytes}  ${status.pace}`,
          }));
          show('shards', () => ({ label: 'shards', full: undefined, text: status.shards }));
          break;
        case 'peer':
          if (status.peers.size <= MOST_PEERS) show(`peer ${event.name}`, () => peerLine(status, event.name));
          break;
        case 'progress':
          show('step', () => stepLine(status));
          break;
        case 'summary':
        case 'failed':
          // Another repository may follow, and begins anew.
          takeDown();
          status = new StatusLine(now);
          break;
        default:
      }
      showResult(event, output);
    },
    finish({ error }) {
      takeDown();
      for (const line of problems.rest()) output.note(line);
      if (error !== undefined) output.note(errorLine(error));
    },
  };
}

function barsOn(output: Output): cliProgress.MultiBar {
  return new cliProgress.MultiBar({
    // The types ask for a whole WritableStream; the library only writes.
    stream: output.stderr as NodeJS.WritableStream,
    format: (options, params, payload: { line: () => Line }) => render(payload.line(), options, params.maxWidth),
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: BAR_COLUMNS,
    fps: 8,
    clearOnComplete: true,
    // A line that has not changed must be drawn again below a message.
    forceRedraw: true,
    // Hidden cursor and switched-off wrapping would stay for good when a second Ctrl-C ends the program at once.
    hideCursor: false,
    linewrap: true,
    // Signals belong to main.
    gracefulExit: false,
  });
}

function share(done: number, scanned: StatusLine['scanned'], of: 'files' | 'bytes' = 'files'): number | undefined {
  if (!scanned.done) return undefined;
  return scanned[of] === 0 ? 1 : done / scanned[of];
}

function peerLine(status: StatusLine, name: string): Line {
  const { freeBytes, usedBytes } = status.peers.get(name) ?? { freeBytes: 0, usedBytes: 0 };
  const all = freeBytes + usedBytes;
  return { label: name, full: all === 0 ? 1 : usedBytes / all, text: `${formatSize(usedBytes)} used, ${formatSize(freeBytes)} free` };
}

function stepLine(status: StatusLine): Line {
  const { label, done, total, bytes, totalBytes = 0 } = status.step ?? { label: '', done: 0, total: 0, bytes: 0 };
  const full = totalBytes > 0 ? bytes / totalBytes : total > 0 ? done / total : undefined;
  const words = [`${done}${total > 0 ? `/${total}` : ''}`, status.stepPace].filter((word) => word !== '');
  return { label, full, text: words.join('  ') };
}

function render(line: Line, options: cliProgress.Options, columns: number): string {
  const { full, text } = line;
  // Where there is no bar, its room is the label's.
  const room = full === undefined ? LABEL_COLUMNS + 1 + BAR_COLUMNS : LABEL_COLUMNS;
  const label = line.label.length > room ? `${line.label.slice(0, room - 1)}…` : line.label.padEnd(room);
  const bar = full === undefined ? '' : ` ${cliProgress.Format.BarFormat(Math.min(1, Math.max(0, full)), options)}`;
  return displayLine(`${label}${bar} ${text}`).slice(0, columns);
}
