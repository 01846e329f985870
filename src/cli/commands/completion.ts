/** `shardctl completion [SHELL]`: the script that teaches a shell to complete this program's command line. */
import { basename } from 'node:path';
import { EXIT } from '../../core/errors.ts';
import { usage } from '../command-line/args.ts';
import { completionScript, SHELLS } from '../command-line/completion.ts';
import type { Context } from '../command-line/context.ts';

export async function run({ args, json, output }: Context): Promise<number> {
  if (json) throw usage('--json cannot be combined with a script', args.command);
  const [asked] = args.positionals;
  // The shell of the login, where it is one of these; it may not be the one that will read the script, which is why it can be named.
  const name = asked ?? basename(process.env.SHELL ?? '');
  const shell = SHELLS.find((known) => known === name) ?? (asked === undefined ? 'bash' : undefined);
  if (shell === undefined) throw usage(`there is no completion for "${name}", but for ${SHELLS.join(', ')}`, args.command);
  for (const line of (await completionScript(shell)).trimEnd().split('\n')) output.line(line);
  return EXIT.done;
}
