/** Which hook is meant, and how long it may take. */
import { statSync } from 'node:fs';
import process from 'node:process';
import type { Config } from '../../home/config.ts';
import type { HomePaths } from '../../home/home.ts';
import { parseTimeout } from '../../home/times.ts';
import { type Args, usage } from '../command-line/args.ts';

const DEFAULT_TIMEOUT = '60s';

/** Where a hook may be told, in the order in which they count; each may be `none`. */
export interface ToldHooks {
  readonly onCommandLine: string | undefined;
  readonly ofRepository: string | undefined;
  readonly ofHome: string | undefined;
}

/**
 * What a home says is run only for the user to whom it belongs: root, who looks into the home of a service's user, must not run what that
 * user has written there. @param onForeign called when a hook is left out for that
 */
export function chosenHook(
  { onCommandLine, ofRepository, ofHome }: ToldHooks,
  home: HomePaths,
  onForeign: (message: string) => void,
): string | undefined {
  const command = onCommandLine ?? ofRepository ?? ofHome;
  if (command === undefined || command === 'none') return undefined;
  if (onCommandLine !== undefined || isOurs(home)) return command;
  onForeign(`hooks of the home at ${home.dir} are not run: it belongs to another user, and what they do would be done by this one`);
  return undefined;
}

function isOurs({ dir, config }: HomePaths): boolean {
  const user = process.getuid?.();
  return [dir, config].every((path) => {
    const owner = statSync(path, { throwIfNoEntry: false })?.uid;
    return user === undefined || owner === user || owner === 0;
  });
}

/** @throws ShardctlError `USAGE` */
export function hookTimeoutMs(args: Args, config: Pick<Config, 'hookTimeout'> | undefined): number {
  const told = args.text('hook-timeout') ?? config?.hookTimeout ?? DEFAULT_TIMEOUT;
  const ms = parseTimeout(told);
  if (ms === undefined) throw usage(`--hook-timeout "${told}" is not a time such as 90s or 5m`, args.command);
  return ms;
}
