/** `shardctl publish NAME`: point the repository's IPNS name at the tree of its head. */
import { EXIT } from '../../core/errors.ts';
import { requireHome } from '../../home/home.ts';
import { readIdentity } from '../../home/identity.ts';
import type { Context } from '../command-line/context.ts';
import { repositoryNamed } from '../command-line/repositories-named.ts';
import { answer } from '../results/results.ts';
import { reading, writing } from '../session/session.ts';
import { publishHead } from '../steps/publish-head.ts';

export async function run(context: Context): Promise<number> {
  const repository = context.args.argument(0);
  requireHome(context.home);
  // The key is named after the ID of the home. One that has none yet is given it, which only the holder of the lock may do.
  const open = readIdentity(context.home) === undefined ? writing : reading;
  return await open(context, async (session) => {
    const { index } = session;
    const head = index.snapshot(repository, repositoryNamed(index.repositories(), repository).head);
    if (head === undefined) throw new Error(`the head of ${repository} is not in the index`);
    const published = await publishHead(context, session, head);
    if (context.quiet && !context.json) return EXIT.done;
    answer(context, [{ type: 'published', ...published }], () => [
      `/ipns/${published.name} -> ${published.value}`,
      `DNS: TXT record of _dnslink.<domain>: "${published.dnslink}"`,
    ]);
    return EXIT.done;
  });
}
