/** `shardctl ls REF[/PATH]`: what a directory of a snapshot holds. */
import { displayPath } from '../../core/display.ts';
import { EXIT } from '../../core/errors.ts';
import { DIRECTORY, SYMLINK } from '../../core/model.ts';
import { type LsEntry, ls } from '../../read/ls.ts';
import type { Context } from '../command-line/context.ts';
import { modeText, secondsText, timeText } from '../results/listing.ts';
import type { Result } from '../results/results.ts';
import { withTree } from '../steps/open-tree.ts';

/** Room for files of up to a terabyte: lines are written as they come, so that nothing can be measured first. */
const SIZE_COLUMNS = 12;

export async function run(context: Context): Promise<number> {
  const { args, json, output, signal } = context;
  const long = args.flag('long');
  return await withTree(context, args.argument(0), async ({ root, path, blocks, cidVersion }) => {
    for await (const entry of ls({ root, path, blocks, signal, cidVersion })) {
      await output.item(json ? resultOf(entry) : long ? longLine(entry) : displayPath(entry.name));
      if (output.closed) break;
    }
    return EXIT.done;
  });
}

function longLine({ name, kind, size, mode, mtimeNs, cid, target }: LsEntry): string {
  const arrow = target === undefined ? '' : ` -> ${displayPath(textOf(target))}`;
  return `${modeText(kind, mode)} ${String(size).padStart(SIZE_COLUMNS)} ${timeText(mtimeNs)} ${cid} ${displayPath(name)}${arrow}`;
}

function resultOf({ name, kind, size, mode, mtimeNs, cid, target }: LsEntry): Extract<Result, { type: 'listing' }> {
  return {
    type: 'listing',
    path: displayPath(name),
    kind: kind === DIRECTORY ? 'directory' : kind === SYMLINK ? 'symlink' : 'file',
    size,
    ...(mode === undefined ? {} : { mode: mode.toString(8).padStart(4, '0') }),
    ...(mtimeNs === undefined ? {} : { mtime: secondsText(mtimeNs) }),
    ...(target === undefined ? {} : { target: displayPath(textOf(target)) }),
    cid,
  };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
