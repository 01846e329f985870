/** How long a run waits for silent peers: by its option, else as the home is set to. */
import type { Config } from '../../home/config.ts';
import { parseTime } from '../../home/times.ts';
import { Grace } from '../../storing/allocate/grace.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';

/** @throws ShardctlError `USAGE` */
export function graceOf({ args, home, now, onTold, reporter }: Context, { grace: set }: Pick<Config, 'grace'>): Grace {
  const told = args.text('grace');
  const ms = parseTime(told ?? set ?? '0');
  if (ms === undefined) throw usage(`--grace "${told}" is not a time such as 90s, 30m or 6h`, args.command);
  const grace = new Grace({ ms, runs: home.runs, now, dryRun: args.flag('dry-run'), emit: (event) => reporter.event(event) });
  onTold(() => grace.saveTold());
  return grace;
}
