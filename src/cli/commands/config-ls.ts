/** `shardctl config ls`. */
import { EXIT } from '../../core/errors.ts';
import type { Context } from '../command-line/context.ts';
import { answer } from '../results/results.ts';
import { table } from '../results/table.ts';
import { keyOf, settingsShown } from '../steps/settings-shown.ts';

export async function run(context: Context): Promise<number> {
  const [name] = context.args.positionals;
  const repository = context.args.text('repository');
  const key = name === undefined ? undefined : keyOf(context, name, repository);
  const settings = await settingsShown(context, key, repository);
  answer(context, settings, () => {
    const rows = settings.map(({ repository: of, key: setting, value, from }) => [of ?? '(home)', setting, value, from]);
    return table([['REPOSITORY', 'SETTING', 'VALUE', 'FROM'], ...rows], 'llll', context.output.columns);
  });
  return EXIT.done;
}
