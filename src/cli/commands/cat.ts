/** `shardctl cat REF/PATH…`: the bytes of files, one after the other. */
import { type ByteRange, cat } from '../../read/cat.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { withTrees } from '../steps/open-tree.ts';

export async function run(context: Context): Promise<number> {
  const { args, output, signal } = context;
  if (context.json) throw usage('--json cannot be combined with the bytes of a file', args.command);
  const range = rangeOf(args);
  return await withTrees(context, args.positionals, async (trees) => {
    for (const { root, path, blocks, isOwn } of trees) {
      for await (const bytes of cat({ root, path, blocks, signal, range, isOwn })) {
        await output.bytes(bytes);
        if (output.closed) return await output.exitOfBytes();
      }
    }
    return await output.exitOfBytes();
  });
}

function rangeOf(args: Args): ByteRange | undefined {
  const text = args.text('range');
  if (text === undefined) return undefined;
  const [, first = '', last = ''] = /^(\d{0,15})-(\d{0,15})$/.exec(text) ?? [];
  if (first === '' && last !== '') return { suffix: Number(last) };
  if (first !== '' && (last === '' || Number(first) <= Number(last)))
    return { first: Number(first), last: last === '' ? undefined : Number(last) };
  throw usage(`--range "${text}" is not FROM-TO, FROM- or -LAST, in bytes counted from 0, as in HTTP`, args.command);
}
