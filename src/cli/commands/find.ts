/** `shardctl find REF[/PATH]…`: the entries of trees that are as asked for, by the paths that other commands take. */
import { EXIT } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { joinBytes, toBytes } from '../../core/path-bytes.ts';
import { find } from '../../read/find.ts';
import type { Context } from '../command-line/context.ts';
import { wantedOf } from '../command-line/find-options.ts';
import { EntryList } from '../results/entry-list.ts';
import { withTrees } from '../steps/open-tree.ts';
import { UnreadEntries } from '../steps/unread-entries.ts';

export async function run(context: Context): Promise<number> {
  const { args, json, output, now, signal } = context;
  const list = new EntryList(context, false);
  const unread = new UnreadEntries(context);
  const wanted = wantedOf(args, now());
  return await withTrees(context, args.positionals, async (trees) => {
    for (const { root, path, blocks, cidVersion, isOwn, snapshot, ref } of trees) {
      const top = toBytes(ref);
      const more = { type: 'found', repository: snapshot.repository, number: snapshot.number };
      const failed = (below: ByteString, error: unknown) => unread.failed(below === '' ? top : joinBytes(top, below), error);
      for await (const entry of find({ root, path, blocks, signal, wanted, isOwn, failed })) {
        const inTree = entry.path === '' ? path : joinBytes(path, entry.path);
        const shown = entry.path === '' ? top : joinBytes(top, entry.path);
        if (!(await list.write(entry, json ? inTree : shown, cidVersion, more))) break;
      }
      if (output.closed) break;
    }
    unread.assertNone();
    return EXIT.done;
  });
}
