/** `shardctl du REF[/PATH]…`: how many bytes of files are below each directory. */
import { displayPath } from '../../core/display.ts';
import { EXIT } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { joinBytes, toBytes } from '../../core/path-bytes.ts';
import { formatSize } from '../../home/sizes.ts';
import { usageOf } from '../../read/usage.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { withTrees } from '../steps/open-tree.ts';
import { UnreadEntries } from '../steps/unread-entries.ts';

export async function run(context: Context): Promise<number> {
  const { args, json, output, signal } = context;
  const unread = new UnreadEntries(context);
  const depth = depthOf(args);
  const sizeText = args.flag('human-readable') ? formatSize : String;
  return await withTrees(context, args.positionals, async (trees) => {
    for (const { root, path, blocks, isOwn, snapshot, ref } of trees) {
      const top = toBytes(ref);
      const failed = (below: ByteString, error: unknown) => unread.failed(below === '' ? top : joinBytes(top, below), error);
      for await (const { path: below, bytes, ...counts } of usageOf({ root, path, blocks, signal, depth, isOwn, failed })) {
        const [inTree, shown] = below === '' ? [path, top] : [joinBytes(path, below), joinBytes(top, below)];
        const { repository, number } = snapshot;
        if (json) await output.item({ type: 'usage', repository, number, path: displayPath(inTree), bytes, ...counts });
        else if (args.flag('print0')) await output.bytes(Buffer.from(`${sizeText(bytes)}\t${shown}\0`, 'latin1'));
        // The tab is du's, and all else that a terminal would obey is escaped.
        else await output.bytes(Buffer.from(`${sizeText(bytes)}\t${displayPath(shown)}\n`));
        if (output.closed) return EXIT.done;
      }
    }
    unread.assertNone();
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
