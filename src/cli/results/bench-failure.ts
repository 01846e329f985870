/** Why a bench has no result, or a program no part in it. */
import { displayText, shellWord } from '../../core/display.ts';
import { type ErrorCode, ioError, messageOf, ShardctlError } from '../../core/errors.ts';
import { CommandFailure } from '../../measure/measure.ts';
import { WrongResult } from '../../measure/mirror/turn.ts';
import type { ExitLine } from '../reporter/reporter.ts';

/** In one line. */
export function whyOf(error: unknown): string {
  if (!(error instanceof CommandFailure)) return displayText(messageOf(error));
  const exit = exitLineOf(error);
  const said = exit === undefined ? error.lastLine : (exit.error?.message ?? '');
  const how = typeof error.code === 'number' ? `exit code ${error.code}` : String(error.code);
  return `${how}${said === '' ? '' : `: ${displayText(said)}`}`;
}

/** shardctl tells its end as JSON, of which a disk that is full may have a part alone. */
function exitLineOf({ lastLine }: CommandFailure): ExitLine | undefined {
  if (!lastLine.startsWith('{"type":"exit"')) return undefined;
  try {
    return JSON.parse(lastLine) as ExitLine;
  } catch {
    return undefined;
  }
}

interface EndedByItself {
  readonly code: number;
  readonly warning: { readonly message: string; readonly hint: string };
}

function homeOf(words: readonly string[], dest: string): string {
  return words[words.indexOf('--home') + 1] ?? dest;
}

/** @returns what is to be thrown; or, where shardctl has ended without an error, but not with all done, how, which is how the bench ends */
export function failureOf(error: unknown, source: string, dest: string): Error | EndedByItself {
  if (error instanceof ShardctlError) return error;
  if (error instanceof WrongResult)
    return new ShardctlError('DAMAGE', whyOf(error), {
      hint: 'if the mirror has changed meanwhile, run it again while no sync goes on',
    });
  if (!(error instanceof CommandFailure)) return ioError(error, 'measuring', dest);
  const words = error.argv.slice(2).filter((word) => word !== '--json');
  // What it worked on is removed when the bench ends.
  const before =
    words[0] === 'add' ? '' : `\`shardctl add ${shellWord(source)} --name bench --home ${shellWord(homeOf(words, dest))}\`, then `;
  const warning = {
    message: `shardctl ${words[0]} ended with ${whyOf(error)}`,
    hint: `${before}\`shardctl ${words.map(shellWord).join(' ')}\` tells more; remove ${shellWord(dest)} afterwards`,
  };
  const exit = exitLineOf(error);
  if (exit !== undefined && exit.error === undefined) return { code: exit.code, warning };
  const { code = 'IO' } = exit?.error ?? {};
  return new ShardctlError(code === 'BUG' ? 'IO' : (code as ErrorCode), warning.message, { hint: warning.hint, cause: error });
}
