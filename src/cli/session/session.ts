/** The composition root: opens the home, its settings, the index and the peers. Only importer of adapters. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { ShardctlError } from '../../core/errors.ts';
import { type Config, DEFAULT_CONFIG, DEFAULT_PEER_NAME, type LocalPeerConfig, type PeerConfig } from '../../home/config.ts';
import { loadConfig, saveConfig } from '../../home/config-file.ts';
import { hasHeads } from '../../home/heads.ts';
import { ensureHome, type HomePaths, requireHome } from '../../home/home.ts';
import { type HomeIdentity, ownerOf, rememberMarked, settleIdentity } from '../../home/identity.ts';
import { acquireLock } from '../../home/lock.ts';
import { Index, type IndexOptions } from '../../index/index.ts';
import { LocalPeer } from '../../peer/local/local.ts';
import type { Peer } from '../../peer/peer.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { minPrivate, openPlaces, refuseToShare, setHomeOpen, setPeerOpen } from './privacy.ts';
import { systemProcesses } from './process-table.ts';

/** An open home. */
export interface Session {
  readonly config: Config;
  readonly index: Index;
  /** By name, in the order of the settings. One whose disk is missing is here too: using it fails with the reason. */
  readonly peers: ReadonlyMap<string, Peer>;
}

/** Runs `work` on the home, which other runs may read and change meanwhile. */
export async function reading<T>(
  context: Context,
  work: (session: Session) => Promise<T>,
  options: Pick<IndexOptions, 'checkBlocks'> = {},
): Promise<T> {
  const { home } = context;
  requireHome(home);
  const config = (await settingsIn(context)) ?? DEFAULT_CONFIG;
  if (!existsSync(home.index)) {
    throw new ShardctlError('NOT_FOUND', `the home at ${home.dir} has no index`, {
      hint: hasHeads(home.heads)
        ? 'run `shardctl recover --all`: it makes a new one, with every snapshot that its peers hold'
        : 'run `shardctl add DIR` first',
    });
  }
  return await withSession(context, config, await Index.open(home.index, { ...options, readOnly: true }), work);
}

/** The settings of the home. Tells of what somebody changed by hand: a flipped bit is no hand. */
export async function settingsIn(context: Context): Promise<Config | undefined> {
  const { home, version, quiet, output } = context;
  const undo = 'if nobody did that, `shardctl config --restore` undoes it';
  const config = await loadConfig(home, version, {
    onChanged: (changes) => {
      if (!quiet) output.note(`${home.config} is not what it was: ${changes.join('; ')} (${undo})`);
    },
    onFirst: (found) => tellOpenPlaces(context, found),
  });
  if (config !== undefined) minPrivate(context, localPaths(home, config));
  return config;
}

/** Who else can read the home and its peers, although nobody has said that he may. */
export function tellOpenPlaces({ home, reporter }: Context, config: Config): void {
  for (const message of openPlaces(home, config, localPaths(home, config))) reporter.event({ type: 'warning', message });
}

/** The local peers, each with its directory. */
export function localPaths(home: HomePaths, { peers }: Config): (readonly [LocalPeerConfig, string])[] {
  return peers.flatMap((peer) => (peer.kind === 'local' ? [[peer, peerPath(home, peer)] as const] : []));
}

/** Runs `work` on what is there, be it nothing yet: a dry run makes no home. */
export async function planning<T>(
  context: Context,
  work: (session: Omit<Session, 'index'> & { readonly index: Index | undefined }) => Promise<T>,
): Promise<T> {
  const { home } = context;
  if (existsSync(home.index)) return await reading(context, work);
  const config = (await settingsIn(context)) ?? DEFAULT_CONFIG;
  return await withPeers(context, config, (peers) => work({ config, index: undefined, peers }));
}

/** Runs `work` as the only writer of the home, which is made if there is none yet. */
export async function writing<T>(
  context: Context,
  work: (session: Session) => Promise<T>,
  options: Pick<IndexOptions, 'checkBlocks'> = {},
): Promise<T> {
  return await locked(context, async (config, identity) =>
    withSession(context, config, await Index.open(context.home.index, options), async (session) => {
      await markWhatIsHeld(context, session, identity);
      const result = await work(session);
      if (session.index.isChanged) await readyForWorse(context, session.index);
      return result;
    }),
  );
}

/** What this home holds is marked on each of its peers, once, before anything else is done. Reads nothing where all of them are known to have it. */
async function markWhatIsHeld({ home, reporter }: Context, { index, peers }: Session, identity: HomeIdentity): Promise<void> {
  const names = [...peers.keys()].filter((name) => !identity.marked.includes(name));
  if (names.length === 0) return;
  const { markHoldings } = await import('../../maintain/mark-holdings.ts');
  const done = await markHoldings({ index, peers, emit: (event) => reporter.event(event) }, names);
  if (done.length > 0) await rememberMarked(home, identity, [...identity.marked.filter((name) => peers.has(name)), ...done]);
}

/** For the day on which this home is lost, and for the day on which its disk is full. */
async function readyForWorse(context: Context, index: Index): Promise<void> {
  const { home, version } = context;
  // The run may have made a peer: the settings as they are now.
  const local = localPaths(home, (await loadConfig(home, version)) ?? DEFAULT_CONFIG);
  const { placesOf, takeBallast } = await import('../../home/ballast.ts');
  const paths = local.map(([, path]) => path);
  takeBallast(placesOf(home, paths), false);
  if (local.length === 0) return;
  const { keepNotes } = await import('./home-notes.ts');
  await keepNotes(context, index.repositories(), new Map(local));
}

/** Takes the lock of the home, which is made if there is none yet, and reads its settings. */
async function locked<T>(context: Context, work: (config: Config, identity: HomeIdentity) => Promise<T>): Promise<T> {
  const { home } = context;
  // A mistake in the command is found before a home is made.
  lockWaitMs(context);
  const shared = context.args.command.words === 'add' && context.args.flag('shared') ? true : undefined;
  if (ensureHome(home)) setHomeOpen(context, shared === true);
  // A newer format may lock in a way of its own: look before touching anything.
  refuseToShare(context, await settingsIn(context));
  return await alone(context, async () => {
    const found = await settingsIn(context);
    const config = found ?? { ...DEFAULT_CONFIG, shared };
    if (found === undefined) saveConfig(home, config);
    const { identity, came } = await settleIdentity(home, hostname(), found !== undefined);
    if (came === 'copied') tellOfCopy(context, identity);
    const isClustered = config.peers.some(({ kind }) => kind === 'cluster');
    return await work(isClustered ? await (await import('./cluster-settings.ts')).withNewMembers(context, config) : config, identity);
  });
}

/** Runs `work` with the lock of the home, which is there, be its settings good or not. */
export async function alone<T>(context: Context, work: () => Promise<T>): Promise<T> {
  const { home } = context;
  const lock = await acquireLock(home.locks, {
    command: `shardctl ${[context.args.command.words, ...context.args.positionals].join(' ')}`,
    waitMs: lockWaitMs(context),
    processes: systemProcesses(),
    now: context.now,
    signal: context.signal,
  });
  context.onExit(() => lock.release());
  try {
    return await work();
  } finally {
    lock.release();
  }
}

function tellOfCopy({ reporter }: Context, { id, copyOf }: HomeIdentity): void {
  const message = `this home is a copy of home ${copyOf?.id} (${copyOf?.host}:${copyOf?.path}): it is home ${id} from now on, and what it holds is marked as its own`;
  reporter.event({ type: 'warning', message });
}

/** As `addLocalPeer`; others may read what is new there only if they are meant to, and what was there as before. */
export async function setUpLocalPeer(context: Context, config: Config, peer: LocalPeerConfig): Promise<void> {
  const path = peerPath(context.home, peer);
  const isNew = !existsSync(join(path, 'peer.json'));
  await addLocalPeer(context.home, config, peer);
  if (isNew || peer.shared === true) setPeerOpen(context, path, peer.shared === true);
}

/** Creates a local peer and adds it to the settings. Must be called by the only writer. */
export async function addLocalPeer(home: HomePaths, config: Config, peer: LocalPeerConfig): Promise<LocalPeer> {
  const made = await LocalPeer.create(localOptions(home, peer));
  const id = await made.id();
  for (const other of config.peers) {
    if ((await idOf(home, other)) === id) throw new ShardctlError('USAGE', `${peerPath(home, peer)} is peer "${other.name}" already`);
  }
  saveConfig(home, { ...config, peers: [...config.peers, peer] });
  return made;
}

/**
 * Runs `work` on the peers of changed settings, which are not saved yet; of the members of an IPFS Cluster on those that answer.
 * @throws ShardctlError when none of them does, or one is another peer
 */
export async function withChanged(
  context: Context,
  config: Config,
  changed: PeerConfig,
  work: (peers: ReadonlyMap<string, Peer>) => Promise<void>,
): Promise<void> {
  await withPeers(context, { ...config, peers: [changed] }, async (peers) => {
    const answering = await answeringOf(peers);
    const id = await idOf(context.home, changed);
    for (const other of config.peers) {
      if (other.name !== changed.name && id !== undefined && (await idOf(context.home, other)) === id)
        throw new ShardctlError('USAGE', `that is peer "${other.name}" already`);
    }
    await work(answering);
  });
}

/** @throws ShardctlError why the first does not answer, when none does */
async function answeringOf(peers: ReadonlyMap<string, Peer>): Promise<ReadonlyMap<string, Peer>> {
  const answering = new Map<string, Peer>();
  let first: ShardctlError | undefined;
  for (const [name, peer] of peers) {
    try {
      await peer.metric();
      answering.set(name, peer);
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      first ??= error;
    }
  }
  if (answering.size === 0 && first !== undefined) throw first;
  return answering;
}

/** Two names for one directory would count as two replicas. */
async function idOf(home: HomePaths, peer: PeerConfig): Promise<string | undefined> {
  if (peer.kind !== 'local') return undefined;
  try {
    return await new LocalPeer(localOptions(home, peer)).id();
  } catch {
    return undefined;
  }
}

/** The peers of the session; with none set up, one directory in the home, which is set up now. */
export async function peersOrDefault(context: Context, session: Session): Promise<ReadonlyMap<string, Peer>> {
  if (session.peers.size > 0) return session.peers;
  const { home, output } = context;
  // Relative, so that the home can be moved.
  const path = relative(home.dir, join(home.peers, DEFAULT_PEER_NAME));
  const peer = await addLocalPeer(home, session.config, { kind: 'local', name: DEFAULT_PEER_NAME, path, layout: 'car', tags: {} });
  if (context.args.flag('verbose')) output.note(`no peers are set up: storing in ${resolve(home.dir, path)}`);
  const peers = new Map([[peer.name, peer]]);
  await markWhatIsHeld(context, { ...session, peers }, (await settleIdentity(home, hostname())).identity);
  return peers;
}

/** Directory of a configured peer. */
export function peerPath(home: HomePaths, peer: LocalPeerConfig): string {
  return resolve(home.dir, peer.path);
}

async function withSession<T>(context: Context, config: Config, index: Index, work: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await withPeers(context, config, (peers) => work({ config, index, peers }));
  } finally {
    await index.close();
  }
}

export async function withPeers<T>(context: Context, config: Config, work: (peers: ReadonlyMap<string, Peer>) => Promise<T>): Promise<T> {
  const peers = (await Promise.all(config.peers.map((peer) => peersOf(context, peer)))).flat();
  try {
    return await work(new Map(peers.map((peer) => [peer.name, peer])));
  } finally {
    await Promise.allSettled(peers.map((peer) => peer.close?.()));
  }
}

/** A Cluster is as many peers as it has members. What a kind of peer needs is loaded only where there is one. */
async function peersOf(context: Context, peer: PeerConfig): Promise<Peer[]> {
  if (peer.kind === 'local') return [new LocalPeer(localOptions(context.home, peer))];
  if (peer.kind === 'kubo') return [(await import('./kubo-peers.ts')).kuboPeer(context, peer)];
  return (await import('./cluster-peers.ts')).clusterPeers(context, peer);
}

function localOptions(home: HomePaths, peer: LocalPeerConfig) {
  return { ...peer, path: peerPath(home, peer), owner: ownerOf(home, hostname()) };
}

function lockWaitMs({ args }: Context): number {
  const text = args.text('lock-wait');
  const seconds = text === undefined ? 0 : Number(text);
  if (text?.trim() !== '' && Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  throw usage(`--lock-wait ${text}: not a number of seconds`, args.command);
}
