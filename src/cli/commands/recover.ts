/** `shardctl recover [NAME|CID…] --from PEER…`: what snapshots the peers of a lost home hold, and a home made anew from them. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { displayText } from '../../core/display.ts';
import { EXIT, type ShardctlError } from '../../core/errors.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { DEFAULT_CONFIG } from '../../home/config.ts';
import { loadConfig, saveConfig } from '../../home/config-file.ts';
import { readHead } from '../../home/heads.ts';
import { ownerOf } from '../../home/identity.ts';
import type { NotedSettings } from '../../home/note-text.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import { type Recoverable, recover, recoverable } from '../../maintain/recover/recover.ts';
import { checkRepositoryName } from '../../snapshot/repository-name.ts';
import { usage } from '../command-line/args.ts';
import type { CommandSpec } from '../command-line/command-spec.ts';
import type { Context } from '../command-line/context.ts';
import { isUrl } from '../command-line/peer-options.ts';
import { type Found, recoveredLines } from '../results/recovered.ts';
import { answer } from '../results/results.ts';
import { table } from '../results/table.ts';
import { type FoundNote, misnamed, newestOf, noted, noteOf, notesOn } from '../session/home-notes.ts';
import { demandIn, type PeersHere, withNoted } from '../session/noted-settings.ts';
import { localPaths } from '../session/peers.ts';
import { lookingAt, withPeersAt } from '../session/peers-at.ts';
import { type Session, writing } from '../session/session.ts';
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
    if (peers.size === 0) throw noPeers(args.command);
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
  const { args, home, json, now, quiet } = context;
  await checkHookTimeout(context);
  const hadSettings = existsSync(home.config);
  const code = await writing(
    context,
    async (session) => {
      if (from.length === 0 && session.peers.size === 0) throw noPeers(args.command);
      const started = now();
      const found = await recoverFrom(context, session, from, wanted);
      const note = hadSettings ? undefined : newestOf(found.notes, ownersOf(found));
      const settings = note?.settings;
      const taken = await takeOver(context, settings ?? {}, found.hereFor(note));
      const seconds = (now() - started) / 1000;
      if (!quiet || json) {
        const results = found.recovered.map((one) => ({ type: 'recovered' as const, ...one, seconds }));
        answer(context, results, () => recoveredLines({ ...found, index: session.index, hadSettings, settings, taken, args, seconds }));
      }
      for (const { repository } of found.recovered) await tellOfHead(context, session, repository);
      return found.recovered.some(({ missing }) => missing.length > 0) ? EXIT.damage : EXIT.done;
    },
    { remaking: 'all' },
  );
  await tellNeighbours(context);
  return code;
}

/** Brings back what is wanted, from the peers of the home and from those that are named. */
async function recoverFrom(
  context: Context,
  session: Session,
  from: readonly string[],
  wanted: readonly string[] | undefined,
): Promise<Found & { readonly hereFor: (note: FoundNote | undefined) => PeersHere }> {
  const { args, absolute, home, now, reporter, signal } = context;
  const [name, source] = [args.text('name'), args.text('source')];
  return await withPeersAt(context, session, from, async ({ config, index, peers }) => {
    const local = localPaths(home, config);
    const paths = local.map(([, path]) => path);
    const notes = await notesOn(paths, now(), (message) => reporter.event({ type: 'warning', message }));
    const hereFor = (note: FoundNote | undefined) => ({ peers, misnamed: note === undefined ? [] : misnamed(note, local) });
    const added = config.peers.filter((peer) => session.config.peers.every((known) => known.name !== peer.name));
    const recovered = await recover({
      wanted,
      homeId: ownerOf(home, hostname()).id,
      owner: args.text('owner'),
      name: name === undefined ? undefined : checkRepositoryName(name),
      source: source === undefined ? '' : toBytes(absolute(source)),
      headOf: (repository) => readHead(home.heads, repository),
      demandOf: (repository, owners) =>
        demandIn(noted(notes, repository, owners) ?? {}, hereFor(noteOf(notes, repository, owners)), args.command),
      heldBackOf: (repository, owners) => noted(notes, repository, owners)?.heldBack ?? [],
      index,
      peers,
      heads: home.heads,
      emit: (event) => reporter.event(event),
      signal,
    });
    return { recovered, notes, added, hereFor };
  });
}

/** IDs of the homes that had what was recovered. */
function ownersOf({ recovered }: Found): string[] {
  return recovered.flatMap(({ owners }) => owners);
}

/** @returns what the home has again, as text */
async function takeOver({ args, home, version }: Context, settings: NotedSettings, here: PeersHere): Promise<readonly string[]> {
  const { config, taken } = withNoted((await loadConfig(home, version)) ?? DEFAULT_CONFIG, settings, here, args.command);
  if (taken.length > 0) saveConfig(home, config);
  return taken;
}

function noPeers(command: CommandSpec): ShardctlError {
  return usage('which peers? name the directory or the URL of each peer with --from', command);
}
