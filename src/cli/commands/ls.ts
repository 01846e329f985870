/** `shardctl ls REF[/PATH]`: what a directory of a snapshot holds. */
import { EXIT } from '../../core/errors.ts';
import { ls } from '../../read/ls.ts';
import type { Context } from '../command-line/context.ts';
import { EntryList } from '../results/entry-list.ts';
import { withTree } from '../steps/open-tree.ts';
import { UnreadEntries } from '../steps/unread-entries.ts';

export async function run(context: Context): Promise<number> {
  const { args, signal } = context;
  const list = new EntryList(context, true);
  const unread = new UnreadEntries(context);
  const recursive = args.flag('recursive');
  return await withTree(context, args.argument(0), async ({ root, path, blocks, cidVersion, isOwn }) => {
    for await (const entry of ls({ root, path, blocks, signal, recursive, isOwn, failed: unread.failed })) {
      if (!(await list.write(entry, entry.path, cidVersion, { type: 'listing' }))) break;
    }
    unread.assertNone();
    return EXIT.done;
  });
}
