/** `shardctl recover SNAPSHOT --from PLACE…`: a lost home made anew from what its peers hold. */
import { resolve } from 'node:path';
import { EXIT } from '../../errors.ts';
import { toBytes } from '../../fs-path.ts';
import { readHead } from '../../home/heads.ts';
import { formatSize } from '../../home/sizes.ts';
import { type Recovered, recover } from '../../recover.ts';
import { usage } from '../args.ts';
import type { Context } from '../context.ts';
import { checkRepositoryName } from '../ref.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results.ts';
import { isUrl, withPeersAt, writing } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  const { args, cwd, home, json, now, quiet, reporter, signal } = context;
  const text = args.positionals[0] as string;
  const name = args.text('name');
  const source = args.text('source');
  const from = args.all('from').map(({ value }) => (isUrl(value) ? value : resolve(cwd, value)));
  // A home whose index alone is lost still knows the CID by the repository's name.
  const snapshot = text.includes('/') ? text : (readHead(home.heads, text) ?? text);
  return await writing(context, async (session) => {
    if (from.length === 0 && session.peers.size === 0)
      throw usage('where from? name the directory or the URL of each peer with --from', args.command);
    const started = now();
    const recovered = await withPeersAt(context, session, from, ({ index, peers }) =>
      recover({
        snapshot,
        name: name === undefined ? undefined : checkRepositoryName(name),
        source: source === undefined ? '' : toBytes(resolve(cwd, source)),
        index,
        peers,
        heads: home.heads,
        emit: (event) => reporter.event(event),
        signal,
      }),
    );
    const seconds = (now() - started) / 1000;
    if (!quiet || json)
      answer(context, [{ type: 'recovered', snapshot, ...recovered, seconds }], () => lines(recovered, source === undefined, seconds));
    return recovered.missing.length > 0 ? EXIT.damage : EXIT.done;
  });
}

function lines({ repository, number, tree, shards, blocks, bytes, missing }: Recovered, noSource: boolean, seconds: number): string[] {
  const out = [
    `${repository}@${number}: recovered ${counted(shards, 'shard')}, ${counted(blocks, 'block')}, ${formatSize(bytes)}, ${formatSeconds(seconds)}`,
    `root ${tree}`,
  ];
  if (missing.length > 0)
    out.push(`${counted(missing.length, 'shard')} missing: \`shardctl add\` the source again to store the blocks anew`);
  if (noSource)
    out.push(
      `where it came from is not known: \`shardctl add DIR --name ${repository}\` says it, reads every file once and stores what is new`,
    );
  return out;
}
