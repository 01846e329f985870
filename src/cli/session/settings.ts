/** The settings of the home, with what a person should be told of them. */
import type { Config } from '../../home/config.ts';
import { loadConfig } from '../../home/config-file.ts';
import type { Context } from '../command-line/context.ts';
import { localPaths } from './peers.ts';
import { openPlaces, openUmaskFor } from './privacy.ts';

/** The settings of the home. Says once what has changed since they were last read, as nobody may have meant it: a flipped bit, for one. */
export async function settingsIn(context: Context): Promise<Config | undefined> {
  const { home, version, quiet, output } = context;
  const undo = 'if nobody did that, `shardctl config --restore` undoes it';
  const config = await loadConfig(home, version, {
    onChanged: (changes) => {
      if (!quiet) output.note(`${home.config} is not what it was: ${changes.join('; ')} (${undo})`);
    },
    onFirst: (found) => tellOpenPlaces(context, found),
  });
  if (config !== undefined) openUmaskFor(context, localPaths(home, config));
  return config;
}

/** Warns of the home and the peers that other users can read although no setting says that they may. */
export function tellOpenPlaces({ home, reporter }: Context, config: Config): void {
  for (const message of openPlaces(home, config, localPaths(home, config))) reporter.event({ type: 'warning', message });
}
