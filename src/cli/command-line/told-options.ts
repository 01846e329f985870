/** What `update` is told has changed: by a list of paths, or by the log of the rsync that has just mirrored. */
import { displayPath } from '../../core/display.ts';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { parseTime } from '../../home/times.ts';
import { BadPath, type ToldPaths, toldByList, toldByRsync } from '../../update/told/told-paths.ts';
import { type Args, usage } from './args.ts';
import { readFileOrStdin } from './file-or-stdin.ts';

export interface Told {
  /** @param source absolute path of the directory that is imported @throws ShardctlError `USAGE` */
  in(source: ByteString): ToldPaths;
  readonly fullEvery: number | undefined;
}

/** Reads the list or the log. @returns undefined when everything is to be looked at @throws ShardctlError `USAGE` */
export function toldOf(args: Args, absolute: (path: string) => string): Told | undefined {
  const [list, log, fullEvery] = [args.text('files-from'), args.text('from-rsync'), fullEveryOf(args)];
  if (list !== undefined && log !== undefined) throw usage('--files-from and --from-rsync do not go together', args.command);
  const file = list ?? log;
  if (file === undefined) {
    if (fullEvery !== undefined) throw usage('--full-every goes with --files-from or --from-rsync', args.command);
    return undefined;
  }
  if (args.flag('all') || args.positionals.length > 1) throw usage('what has changed is told of one repository: name it', args.command);
  const bytes = bytesOf(file, absolute);
  return {
    fullEvery,
    in: (source) => {
      try {
        return log === undefined ? toldByList(bytes, source) : toldByRsync(bytes);
      } catch (error) {
        if (!(error instanceof BadPath)) throw error;
        throw new ShardctlError('USAGE', `${file} has a path that leads out of the source: ${displayPath(error.path)}`, {
          hint: 'paths are told from the root of the source, without ".."',
        });
      }
    },
  };
}

function bytesOf(file: string, absolute: (path: string) => string): Buffer {
  try {
    return readFileOrStdin(file, absolute);
  } catch (error) {
    throw new ShardctlError('USAGE', `cannot read ${file}: ${errnoOf(error) ?? String(error)}`, {
      hint: 'without a list, `shardctl update` looks at everything',
      cause: error,
    });
  }
}

/** Milliseconds. */
function fullEveryOf(args: Args): number | undefined {
  const text = args.text('full-every');
  if (text === undefined) return undefined;
  const ms = parseTime(text) ?? 0;
  if (ms > 0) return ms;
  throw usage(`--full-every "${text}" is not a time such as 12h, 7d or 2w`, args.command);
}
