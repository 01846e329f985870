/** `shardctl config ls`. */
import { EXIT } from '../../core/errors.ts';
import type { Context } from '../command-line/context.ts';
import type { SettingName } from '../command-line/settings-table.ts';
import { answer } from '../results/results.ts';
import { table } from '../results/table.ts';
import { keyOf, settingsShown } from '../steps/settings-shown.ts';

export async function run(context: Context): Promise<number> {
  const [name] = context.args.positionals;
  const repository = context.args.text('repository');
  return await listSettings(context, name === undefined ? undefined : keyOf(context, name, repository), repository);
}

/** @param key undefined for all @param repository undefined for the home and all repositories */
export async function listSettings(context: Context, key: SettingName | undefined, repository: string | undefined): Promise<number> {
  const settings = await settingsShown(context, key, repository);
  answer(context, settings, () => {
    const rows = settings.map(({ repository: of, key: setting, value, from }) => [of ?? '(home)', setting, value, from]);
    return table([['REPOSITORY', 'SETTING', 'VALUE', 'FROM'], ...rows], 'llll', context.output.columns);
  });
  return EXIT.done;
}
