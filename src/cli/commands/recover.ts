/** `shardctl recover [NAME|CID…] --from PEER…`: what snapshots the peers of a lost home hold, and a home made anew from them. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { displayText } from '../../display.ts';
import { EXIT } from '../../errors.ts';
import { toBytes } from '../../fs-path.ts';
import { readHead } from '../../home/heads.ts';
import { ownerOf } from '../../home/identity.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { type Recoverable, type Recovered, recover, recoverable } from '../../recover.ts';
import { checkRepositoryName } from '../../repository-name.ts';
import { usage } from '../args.ts';
import type { Context } from '../context.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results.ts';
import { table } from '../table.ts';
import { isUrl, lookingAt, withPeersAt, writing } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  const { args, cwd } = context;
  const from = args.all('from').map(({ value }) => (isUrl(value) ? value : resolve(cwd, value)));
  const isAll = args.flag('all');
  if (isAll && args.positionals.length > 0) throw usage('either name what to recover, or say --all', args.command);
  if (!isAll && args.positionals.length === 0) return await list(context, from);
  return await bringBack(context, from, isAll ? undefined : args.positionals);
}

async function list(context: Context, from: readonly string[]): Promise<number> {
  const { args, reporter, signal } = context;
  const found = await lookingAt(context, from, async (peers) => {
    if (peers.size === 0) throw usage('where? name the directory or the URL of each peer with --from', args.command);
    return await recoverable({ peers, emit: (event) => reporter.event(event), signal });
  });
  answer(
    context,
    found.map((snapshot) => ({ type: 'recoverable', ...snapshot })),
    () => listing(found),
  );
  return EXIT.done;
}

function listing(found: readonly Recoverable[]): string[] {
  if (found.length === 0) return ['no snapshot is on these peers'];
  const rows = found.map(({ repository, time, files, bytes, shards, missing, peers, owners, snapshot }) => [
    displayText(repository),
    displayText(time),
    formatCount(files),
    formatSize(bytes),
    missing === 0 ? formatCount(shards) : `${formatCount(shards)}, ${formatCount(missing)} missing`,
    peers.join(', '),
    owners.join(', ') || '-',
    snapshot,
  ]);
  return [
    ...table([['REPOSITORY', 'TIME', 'FILES', 'SIZE', 'SHARDS', 'PEERS', 'HOMES', 'SNAPSHOT'], ...rows], 'llrrrlll'),
    '',
    'recover all of it with --all, a repository with its history by its name, or one snapshot by its CID',
  ];
}

async function bringBack(context: Context, from: readonly string[], wanted: readonly string[] | undefined): Promise<number> {
  const { args, cwd, home, json, now, quiet, reporter, signal } = context;
  const name = args.text('name');
  const source = args.text('source');
  return await writing(context, async (session) => {
    if (from.length === 0 && session.peers.size === 0)
      throw usage('where from? name the directory or the URL of each peer with --from', args.command);
    const started = now();
    const recovered = await withPeersAt(context, session, from, ({ index, peers }) =>
      recover({
        wanted,
        homeId: ownerOf(home, hostname()).id,
        owner: args.text('owner'),
        name: name === undefined ? undefined : checkRepositoryName(name),
        source: source === undefined ? '' : toBytes(resolve(cwd, source)),
        headOf: (repository) => readHead(home.heads, repository),
        index,
        peers,
        heads: home.heads,
        emit: (event) => reporter.event(event),
        signal,
      }),
    );
    const seconds = (now() - started) / 1000;
    if (!quiet || json) {
      const results = recovered.map((one) => ({ type: 'recovered' as const, ...one, seconds }));
      answer(context, results, () => [
        ...recovered.flatMap(lines),
        `in ${formatSeconds(seconds)}`,
        ...notes(recovered, source === undefined),
      ]);
    }
    return recovered.some(({ missing }) => missing.length > 0) ? EXIT.damage : EXIT.done;
  });
}

function lines({ repository, number, tree, shards, blocks, bytes, missing }: Recovered): string[] {
  const size = `${counted(shards, 'shard')}, ${counted(blocks, 'block')}, ${formatSize(bytes)}`;
  const out = [`${repository}: recovered ${counted(number, 'snapshot')}, ${size}`, `root ${tree}`];
  if (missing.length > 0)
    out.push(`${counted(missing.length, 'shard')} missing: \`shardctl add\` the source again to store the blocks anew`);
  return out;
}

/** What no snapshot says, and so nobody knows any more. */
function notes(recovered: readonly Recovered[], noSource: boolean): string[] {
  const names = recovered.map(({ repository }) => repository);
  const out = ['not known to the peers, and so not recovered: filters, capacities and tags of peers, the numbers of the snapshots'];
  if (noSource)
    out.push(`nor where it came from: \`shardctl add DIR --name ${names[0]}\` says it, reads every file once and stores what is new`);
  return out;
}
