/** `shardctl cat REF/PATH`: the bytes of a file. */

import { EXIT } from '../../core/errors.ts';
import { cat } from '../../read/cat.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { withTree } from '../steps/open-tree.ts';

export async function run(context: Context): Promise<number> {
  const { args, output, signal } = context;
  if (context.json) throw usage('--json cannot be combined with the bytes of a file', args.command);
  return await withTree(context, args.argument(0), async ({ root, path, blocks, isOwn }) => {
    for await (const bytes of cat({ root, path, blocks, signal, isOwn })) {
      await output.bytes(bytes);
      if (output.closed) break;
    }
    return EXIT.done;
  });
}
