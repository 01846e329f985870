/** `shardctl config get`: the value alone, for scripts, as `config set` takes it. */
import { EXIT } from '../../core/errors.ts';
import type { Context } from '../command-line/context.ts';
import { answer } from '../results/results.ts';
import { keyOf, settingsShown } from '../steps/settings-shown.ts';

export async function run(context: Context): Promise<number> {
  const repository = context.args.text('repository');
  const [setting] = await settingsShown(context, keyOf(context, context.args.argument(0), repository), repository);
  // Without a repository the home's is the first one.
  if (setting !== undefined) answer(context, [setting], () => [setting.value]);
  return EXIT.done;
}
