/** `shardctl recover [NAME|CID…] --from PEER…`: what snapshots the peers of a lost home hold, and a home made anew from them. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { displayText, shellWord } from '../../core/display.ts';
import { EXIT } from '../../core/errors.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { DEFAULT_CONFIG, type PeerConfig, type PlacementConfig } from '../../home/config.ts';
import { loadConfig, saveConfig } from '../../home/config-file.ts';
import { readHead } from '../../home/heads.ts';
import { ownerOf } from '../../home/identity.ts';
import type { NotedRepository } from '../../home/note.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import type { Index } from '../../index/index.ts';
import { type Recoverable, type Recovered, recover, recoverable } from '../../maintain/recover/recover.ts';
import { checkRepositoryName } from '../../snapshot/repository-name.ts';
import type { Demand } from '../../storing/demand.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { isUrl } from '../command-line/peer-options.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { table } from '../results/table.ts';
import { addCommand, type Notes, newestOf, noted, notesOn } from '../session/home-notes.ts';
import { commandsFor, commandsForOwn, takenOf, withNoted } from '../session/noted-settings.ts';
import { peerPath } from '../session/peers.ts';
import { lookingAt, withPeersAt } from '../session/peers-at.ts';
import { writing } from '../session/session.ts';
import { tellNeighbours } from '../steps/neighbours.ts';
import { checkHookTimeout, tellOfHead } from '../steps/tell-of-head.ts';

export async function run(context: Context): Promise<number> {
  const { args, absolute } = context;
  const from = args.all('from').map(({ value }) => (isUrl(value) ? value : absolute(value)));
  const isAll = args.flag('all');
  if (isAll && args.positionals.length > 0) throw usage('either name what to recover, or say --all', args.command);
  if (!isAll && args.positionals.length === 0) return await list(context, from);
  return await bringBack(context, from, isAll ? undefined : args.positionals);
}

async function list(context: Context, from: readonly string[]): Promise<number> {
  const { args, reporter, signal } = context;
  const found = await lookingAt(context, from, async (peers) => {
    if (peers.size === 0) throw usage('which peers? name the directory or the URL of each peer with --from', args.command);
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
  const { args, absolute, home, json, now, quiet, reporter, signal, version } = context;
  const name = args.text('name');
  const source = args.text('source');
  await checkHookTimeout(context);
  const hadSettings = existsSync(home.config);
  const code = await writing(
    context,
    async (session) => {
      if (from.length === 0 && session.peers.size === 0)
        throw usage('which peers? name the directory or the URL of each peer with --from', args.command);
      const started = now();
      let notes: Notes = new Map();
      let added: readonly PeerConfig[] = [];
      const recovered = await withPeersAt(context, session, from, async ({ config, index, peers }) => {
        added = config.peers.filter(({ name }) => session.config.peers.every((peer) => peer.name !== name));
        notes = await notesOn(config.peers.flatMap((peer) => (peer.kind === 'local' ? [peerPath(home, peer)] : [])));
        return await recover({
          wanted,
          homeId: ownerOf(home, hostname()).id,
          owner: args.text('owner'),
          name: name === undefined ? undefined : checkRepositoryName(name),
          source: source === undefined ? '' : toBytes(absolute(source)),
          headOf: (repository) => readHead(home.heads, repository),
          demandOf: (repository, owners) => demandIn(noted(notes, repository, owners)),
          heldBackOf: (repository, owners) => noted(notes, repository, owners)?.heldBack ?? [],
          index,
          peers,
          heads: home.heads,
          emit: (event) => reporter.event(event),
          signal,
        });
      });
      const ofHome = hadSettings
        ? undefined
        : newestOf(
            notes,
            recovered.flatMap(({ owners }) => owners),
          )?.settings;
      const { config, taken } = withNoted((await loadConfig(home, version)) ?? DEFAULT_CONFIG, ofHome ?? {}, args.command);
      if (taken.length > 0) saveConfig(home, config);
      const seconds = (now() - started) / 1000;
      if (!quiet || json) {
        const results = recovered.map((one) => ({ type: 'recovered' as const, ...one, seconds }));
        answer(context, results, () => [
          ...recovered.flatMap(lines),
          `in ${formatSeconds(seconds)}`,
          ...recovered.flatMap((one) => settingsOf(session.index, one, notes)),
          ...recovered.flatMap((one) => howToGoOn(one, noted(notes, one.formerName, one.owners), source !== undefined)),
          ...(from.length === 0 || notes.size > 0
            ? []
            : ['tags, capacities and reserves of the peers are not known any more: `shardctl peers set` says them']),
          ...added.flatMap((peer) => (peer.kind === 'local' ? takenLine(`peer ${peer.name}`, limitsOf(peer)) : [])),
          ...takenLine('the home', taken),
          ...commandsFor(ofHome ?? {}).map(asNoted('the home')),
          ...(hadSettings || ofHome !== undefined
            ? []
            : ['what was set for gate, keep and grace is on no peer: `shardctl config` sets it again']),
          'hooks and tags are on no peer, hooks because no peer may say what this machine runs: `shardctl config` shows what is set',
        ]);
      }
      for (const { repository } of recovered) await tellOfHead(context, session, repository);
      return recovered.some(({ missing }) => missing.length > 0) ? EXIT.damage : EXIT.done;
    },
    { remaking: 'all' },
  );
  await tellNeighbours(context);
  return code;
}

function lines({ repository, snapshots, number, heldBack, tree, shards, blocks, bytes, missing }: Recovered): string[] {
  const size = `${counted(shards, 'shard')}, ${counted(blocks, 'block')}, ${formatSize(bytes)}`;
  const out = [`${repository}: recovered ${counted(snapshots, 'snapshot')}, ${size}`];
  // The root of what is held back is nobody's to publish.
  if (number > 0) out.push(`root ${tree}`);
  if (heldBack !== undefined) out.push(heldBackLine(repository, number, heldBack));
  if (missing.length > 0)
    out.push(`${counted(missing.length, 'shard')} missing: \`shardctl add\` the source again to store the blocks anew`);
  return out;
}

function heldBackLine(repository: string, head: number, heldBack: number): string {
  const name = shellWord(`${repository}@${heldBack}`);
  const stays = head === 0 ? 'there is no head' : `the head is ${repository}@${head}`;
  return `held back by the gate, as its home noted: ${repository}@${heldBack}; ${stays}; \`shardctl accept ${name}\` makes it the head all the same`;
}

/** What a home noted is believed as far as it decides where shards go, and asks for no fewer replicas than there are (`maintain/recover`). */
function demandIn(known: NotedRepository | undefined): Partial<Demand> {
  const { replication, allocateBy } = known ?? {};
  return { ...(replication === undefined ? {} : { replication }), ...(allocateBy === undefined ? {} : { allocateBy }) };
}

/** What was taken over; what the gate and `check` were asked for, and fewer replicas than there are, is for a person to say again. */
function settingsOf(index: Index, { repository, formerName, owners }: Recovered, notes: Notes): string[] {
  const [record, known] = [index.repository(repository), noted(notes, formerName, owners)];
  if (record === undefined || known === undefined) return [];
  return [...takenLine(repository, takenOf(record, known)), ...commandsForOwn(record, known).map(asNoted(repository))];
}

/** Each value that was taken over is said, because the note may be somebody else's. */
function takenLine(what: string, taken: readonly string[]): string[] {
  return taken.length === 0 ? [] : [`${what} has again, as its home noted: ${displayText(taken.join(', '))}`];
}

function limitsOf({ tags, capacity, reserve, weight, drained }: PlacementConfig): string[] {
  return [
    ...Object.entries(tags).map(([key, value]) => `${key}=${value}`),
    ...(capacity === undefined ? [] : [`capacity ${formatSize(capacity)}`]),
    ...(reserve === undefined ? [] : [`reserve ${formatSize(reserve)}`]),
    ...(weight === undefined ? [] : [`weight ${weight}`]),
    ...(drained === true ? ['drained'] : []),
  ];
}

function asNoted(what: string): (command: string) => string {
  return (command) => `${what} was set to, as its home noted: \`${command}\``;
}

/** Where the files are, and which of them are meant, is for a person to say: the note may be somebody else's. */
function howToGoOn({ repository }: Recovered, known: NotedRepository | undefined, hasSource: boolean): string[] {
  // A home that was recovered itself, and was not told since, has noted none.
  if (known !== undefined && known.source.length > 0)
    return [`${repository} goes on with, as its home noted: \`${addCommand(repository, known)}\``];
  const filters = `its filters are not known any more`;
  if (hasSource) return [`${repository}: ${filters}`];
  return [
    `${repository}: ${filters}, nor where it came from: \`shardctl add DIR --name ${shellWord(repository)}\` says it and reads every file once`,
  ];
}
