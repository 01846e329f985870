/** `shardctl du REF[/PATH]…`: how many bytes of files are below each directory. */
import { displayPath } from '../../core/display.ts';
import { EXIT } from '../../core/errors.ts';
import { joinBytes, toBytes } from '../../core/path-bytes.ts';
import { formatSize } from '../../home/sizes.ts';
import { usageOf } from '../../read/usage.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { isHuman } from '../results/entry-list.ts';
import { withTrees } from '../steps/open-tree.ts';

export async function run(context: Context): Promise<number> {
  const { args, json, output, signal } = context;
  const depth = depthOf(args);
  const sizeText = isHuman(args) ? formatSize : String;
  return await withTrees(context, args.positionals, async (trees) => {
    for (const { root, path, blocks, isOwn, snapshot, ref } of trees) {
      const top = toBytes(ref);
      for await (const { path: below, bytes, ...counts } of usageOf({ root, path, blocks, signal, depth, isOwn })) {
        const [inTree, shown] = below === '' ? [path, top] : [joinBytes(path, below), joinBytes(top, below)];
        const { repository, number } = snapshot;
        if (json) await output.item({ type: 'usage', repository, number, path: displayPath(inTree), bytes, ...counts });
        else if (args.flag('print0')) await output.bytes(Buffer.from(`${sizeText(bytes)}\t${shown}\0`, 'latin1'));
        // The tab is du's, and all else that a terminal would obey is escaped.
        else await output.bytes(Buffer.from(`${sizeText(bytes)}\t${displayPath(shown)}\n`));
        if (output.closed) return EXIT.done;
      }
    }
    return EXIT.done;
  });
}

function depthOf(args: Args): number {
  const text = args.text('max-depth');
  if (args.flag('summarize')) {
    if (text !== undefined && text !== '0') throw usage('--summarize and --max-depth do not go together', args.command);
    return 0;
  }
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw usage(`--max-depth "${text}" is not a number from 0`, args.command);
}
