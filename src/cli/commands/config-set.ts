/** `shardctl config set`, and `config unset`, which takes no value. */
import type { Context } from '../command-line/context.ts';
import { changeSetting } from '../steps/setting-change.ts';
import { keyOf } from '../steps/settings-shown.ts';

export async function run(context: Context): Promise<number> {
  const { args } = context;
  const repository = args.text('repository');
  return await changeSetting(context, { key: keyOf(context, args.argument(0), repository), text: args.positionals[1], repository });
}
