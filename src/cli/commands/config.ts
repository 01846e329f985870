/** `shardctl config`: what the home decides where nothing else is said, and what each repository asks for itself. */
import { existsSync } from 'node:fs';
import { EXIT } from '../../core/errors.ts';
import { restoreConfig } from '../../home/config-file.ts';
import { requireHome } from '../../home/home.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { alone } from '../session/session.ts';
import { run as list } from './config-ls.ts';
import { run as set } from './config-set.ts';

export async function run(context: Context): Promise<number> {
  const { args, home } = context;
  const [name, text] = args.positionals;
  const repository = args.text('repository');
  if (args.flag('restore')) {
    if (name !== undefined || repository !== undefined || args.flag('unset')) throw usage('--restore takes no setting', args.command);
    // A home of which the settings are gone has them restored, too.
    if (!existsSync(home.configCache)) requireHome(home);
    return await restore(context);
  }
  if (!args.flag('unset')) return await (text === undefined ? list(context) : set(context));
  if (name === undefined || text !== undefined) throw usage('--unset wants the name of one setting', args.command);
  return await set(context);
}

/** Needs no settings that can be read. */
async function restore(context: Context): Promise<number> {
  const { home, quiet, json, output } = context;
  const changes = await alone(context, () => restoreConfig(home));
  if (quiet || json) return EXIT.done;
  output.line(changes.length === 0 ? `${home.config} is as it was: nothing to restore` : `${home.config} is written again:`);
  for (const change of changes) output.line(`  ${change}`);
  return EXIT.done;
}
