/** `shardctl diff A B`: what differs between two trees. */

import { EXIT } from '../../core/errors.ts';
import { resolve } from '../../read/tree/tree.ts';
import { diff } from '../../update/diff.ts';
import type { Context } from '../command-line/context.ts';
import { withTrees } from '../steps/open-tree.ts';

export async function run(context: Context): Promise<number> {
  const { args, output, reporter, signal } = context;
  return await withTrees(context, args.positionals, async (trees) => {
    const [before, after] = trees;
    if (before === undefined || after === undefined) throw new Error('diff needs two trees');
    const { blocks } = before;
    const a = await resolve(before.root, before.path, blocks);
    const b = await resolve(after.root, after.path, blocks);
    for await (const change of diff(a, b, { blocks, signal })) {
      reporter.event({ type: 'change', ...change });
      if (output.closed) break;
    }
    return EXIT.done;
  });
}
