/** Opens the home for a command: its settings, its lock when it is to be written, the index and the peers. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { ShardctlError } from '../../core/errors.ts';
import { type Config, DEFAULT_CONFIG, DEFAULT_PEER_NAME } from '../../home/config.ts';
import { loadConfig, saveConfig } from '../../home/config-file.ts';
import { ensureHome, requireHome } from '../../home/home.ts';
import { type HomeIdentity, identify, rememberMarked } from '../../home/identity.ts';
import { acquireLock, type Lock, SharedLock } from '../../home/lock.ts';
import type { LockOptions } from '../../home/lock-files.ts';
import { PromisedSpace } from '../../home/promised-space.ts';
import { Index } from '../../index/index.ts';
import type { IndexOptions } from '../../index/options.ts';
import { howToMake } from '../../index/tables/how-to-make.ts';
import type { Peer } from '../../peer/peer.ts';
import type { InTurn } from '../../storing/place/in-turn.ts';
import { removeSpool, sweepSpool } from '../../storing/spool.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { addLocalPeer } from './local-peers.ts';
import { mayRemake, type Remaking } from './lost-index.ts';
import { localPaths, withPeers } from './peers.ts';
import { refuseToShare, setHomeOpen } from './privacy.ts';
import { systemProcesses } from './process-table.ts';
import { settingsIn } from './settings.ts';

/** An open home. */
export interface Session {
  readonly config: Config;
  readonly index: Index;
  /** By name, in the order of the settings. A peer whose disk is missing is among them: it fails with the reason when it is used. */
  readonly peers: ReadonlyMap<string, Peer>;
}

/** An open home on other repositories of which other runs may work at the same time. */
export interface SharedSession extends Session {
  /** Directory for shards on their way to peers, of this run alone. */
  readonly spool: string;
  readonly inTurn: InTurn;
  /**
   * Runs `work` with a repository for itself; what was read of it before may be out of date by then. From the first call on others may
   * come, so the first peer must be there before. @throws ShardctlError `LOCKED`
   */
  readonly withRepository: <T>(name: string, work: () => Promise<T>) => Promise<T>;
}

/** Runs `work` without the lock: other runs may read and change the home meanwhile. */
export async function reading<T>(
  context: Context,
  work: (session: Session) => Promise<T>,
  options: Pick<IndexOptions, 'checkBlocks'> = {},
): Promise<T> {
  const config = await settingsOfReadable(context);
  return await withSession(context, config, await Index.open(context.home.index, { ...options, readOnly: true }), work);
}

/** The settings of a home that can be read. @throws ShardctlError `NOT_FOUND` when there is no home or no index */
export async function settingsOfReadable(context: Context): Promise<Config> {
  const { home } = context;
  requireHome(home);
  const config = (await settingsIn(context)) ?? DEFAULT_CONFIG;
  if (!existsSync(home.index)) {
    throw new ShardctlError('NOT_FOUND', `the home at ${home.dir} has no index`, { hint: howToMake(home.index) });
  }
  return config;
}

/** As `reading`, also where there is no home or no index yet: a dry run makes neither. */
export async function planning<T>(
  context: Context,
  work: (session: Omit<Session, 'index'> & { readonly index: Index | undefined }) => Promise<T>,
): Promise<T> {
  const { home } = context;
  const hasIndex = existsSync(home.index);
  // Defaults in place of lost settings would be told as the home's own.
  if (hasIndex) requireHome(home);
  const config = (await settingsIn(context)) ?? DEFAULT_CONFIG;
  const index = hasIndex ? await readIfMade(home.index) : undefined;
  if (index !== undefined) return await withSession(context, config, index, work);
  return await withPeers(context, config, (peers) => work({ config, index: undefined, peers }));
}

/** Undefined where the run that was to make it has died: the next one makes it. */
async function readIfMade(dir: string): Promise<Index | undefined> {
  try {
    return await Index.open(dir, { readOnly: true });
  } catch (error) {
    if (error instanceof ShardctlError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Runs `work` with the lock, as the only writer of the home, which is made if there is none yet. */
export async function writing<T>(
  context: Context,
  work: (session: Session) => Promise<T>,
  { remaking, ...options }: Pick<IndexOptions, 'checkBlocks'> & Pick<Opening, 'remaking'> = {},
): Promise<T> {
  return await locked(context, alone, async (config, identity) => await changing(context, { config, identity, options, remaking }, work));
}

/** Runs `work` beside runs on other repositories: docs/locks.md. The home is made if there is none yet. */
export async function sharing<T>(
  context: Context,
  work: (session: SharedSession) => Promise<T>,
  { remaking }: Pick<Opening, 'remaking'> = {},
): Promise<T> {
  const { home } = context;
  const beside = (_: Context, within: (lock: SharedLock) => Promise<T>) =>
    withLock(context, (options) => SharedLock.acquire(home.locks, options), within);
  return await locked(context, beside, async (config, identity, lock) => {
    const { isAlone } = lock;
    if (isAlone) sweepSpool(home.spool);
    // A run beside which others come later keeps the spool itself, and they have directories in it.
    const spool = isAlone ? home.spool : join(home.spool, lock.name);
    const space = new PromisedSpace(lock, home.runs);
    const options = { sharing: { isAlone, tryTask: (name: string) => lock.tryTask(name) } };
    try {
      return await changing(context, { config, identity, options, remaking, space }, async (session) =>
        work({
          ...session,
          spool,
          inTurn: (cid, place) => lock.withTask(cid, place),
          withRepository: (name, workOn) =>
            lock.withRepository(name, async () => {
              session.index.refresh();
              return await workOn();
            }),
        }),
      );
    } finally {
      if (!isAlone && existsSync(spool)) removeSpool(spool);
    }
  });
}

interface Opening {
  readonly config: Config;
  readonly identity: HomeIdentity;
  readonly options: IndexOptions;
  /** What the run makes anew where the index was lost; others are refused then. */
  readonly remaking?: Remaking | undefined;
  /** What other runs put on local peers; absent where no other run can. */
  readonly space?: PromisedSpace;
}

async function changing<T>(
  context: Context,
  { config, identity, options, remaking, space }: Opening,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const within = async (session: Session) => {
    await markOnPeers(context, session, identity);
    const hadRepositories = session.index.repositories().length > 0;
    const result = await work(session);
    // Read again, as the run may have made a peer, or changed a setting.
    const now = (await loadConfig(context.home, context.version)) ?? DEFAULT_CONFIG;
    if (session.index.isChanged || JSON.stringify(now) !== JSON.stringify(config))
      await prepareForLoss(context, now, session.index, hadRepositories);
    return result;
  };
  const anew = await mayRemake(context, config, identity.id, remaking);
  return await withSession(context, config, await Index.open(context.home.index, { ...options, anew }), within, space);
}

/**
 * Marks on each peer what this home holds there, before anything else is done. It is done once for each peer: `home.json` names those
 * that have the marks, and where it names all of them nothing is read.
 */
async function markOnPeers({ home, reporter }: Context, { index, peers }: Session, identity: HomeIdentity): Promise<void> {
  const names = [...peers.keys()].filter((name) => !identity.marked.includes(name));
  if (names.length === 0) return;
  const { markHoldings } = await import('../../maintain/mark-holdings.ts');
  const done = await markHoldings({ index, peers, emit: (event) => reporter.event(event) }, names);
  if (done.length > 0) await rememberMarked(home, identity, [...identity.marked.filter((name) => peers.has(name)), ...done]);
}

/** After a run that has changed something: takes ballast for the day on which the disk is full, and notes on the peers what `recover` needs. */
async function prepareForLoss(context: Context, config: Config, index: Index, hadRepositories: boolean): Promise<void> {
  const { home } = context;
  const local = localPaths(home, config);
  const { placesOf, takeBallast } = await import('../../home/ballast.ts');
  const paths = local.map(([, path]) => path);
  takeBallast(placesOf(home, paths), false);
  if (local.length === 0) return;
  const { keepNotes } = await import('./keep-notes.ts');
  await keepNotes(context, config, index, { peers: new Map(local), hadRepositories });
}

/** Takes a lock of the home, which is made if there is none yet, and reads its settings. */
async function locked<T, L>(
  context: Context,
  within: (context: Context, work: (lock: L) => Promise<T>) => Promise<T>,
  work: (config: Config, identity: HomeIdentity, lock: L) => Promise<T>,
): Promise<T> {
  const { home } = context;
  // Checked here, so that a mistake in the command is found before a home is made.
  lockWaitMs(context);
  const shared = context.args.command.words === 'add' && context.args.flag('shared') ? true : undefined;
  if (ensureHome(home)) setHomeOpen(context, shared === true);
  refuseFollower(context);
  // Read before the lock is taken, too: a home of a newer format may lock in another way.
  refuseToShare(context, await settingsIn(context));
  return await within(context, async (lock) => {
    const found = await settingsIn(context);
    const config = found ?? { ...DEFAULT_CONFIG, shared };
    if (found === undefined) saveConfig(home, config);
    const { identity, came } = await identify(home, hostname(), found !== undefined);
    if (came === 'copied') tellOfCopy(context, identity);
    const isClustered = config.peers.some(({ kind }) => kind === 'cluster');
    return await work(isClustered ? await (await import('./cluster-settings.ts')).withNewMembers(context, config) : config, identity, lock);
  });
}

/** They change where a follower's shards go; what a peer held that is taken out is taken anew by the next run. */
const OF_PEERS = /^peers (add|set|rm)\b/;

/** What a follower holds is in no snapshot of its home: to every other command that writes it would be rubbish. */
function refuseFollower({ args, home }: Context): void {
  const { words } = args.command;
  if (words === 'follow' || OF_PEERS.test(words) || !existsSync(home.follow)) return;
  throw new ShardctlError('USAGE', `the home at ${home.dir} follows a repository of others, and is for that alone`, {
    hint: 'name another home: --home DIR',
  });
}

/** Runs `work` with the lock of a home that is there; its settings need not be readable. */
export async function alone<T>(context: Context, work: (lock: Lock) => Promise<T>): Promise<T> {
  return await withLock(context, (options) => acquireLock(context.home.locks, options), work);
}

async function withLock<T, L extends Lock>(
  context: Context,
  acquire: (options: LockOptions) => Promise<L>,
  work: (lock: L) => Promise<T>,
): Promise<T> {
  const { args, now, signal } = context;
  const lock = await acquire({ command: args.shown, waitMs: lockWaitMs(context), processes: systemProcesses(), now, signal });
  context.onExit(() => lock.release());
  try {
    return await work(lock);
  } finally {
    lock.release();
  }
}

function tellOfCopy({ reporter }: Context, { id, copyOf }: HomeIdentity): void {
  const message = `this home is a copy of home ${copyOf?.id} (${copyOf?.host}:${copyOf?.path}): it is home ${id} from now on, and what it holds is marked as its own`;
  reporter.event({ type: 'warning', message });
}

/** The peers of the session. With none set up, a directory in the home becomes the first one now. */
export async function peersOrDefault(context: Context, session: Session): Promise<ReadonlyMap<string, Peer>> {
  if (session.peers.size > 0) return session.peers;
  const { home, output } = context;
  // Relative, so that the home can be moved.
  const path = relative(home.dir, join(home.peers, DEFAULT_PEER_NAME));
  const peer = await addLocalPeer(home, session.config, { kind: 'local', name: DEFAULT_PEER_NAME, path, layout: 'car', tags: {} });
  if (context.args.flag('verbose')) output.note(`no peers are set up: storing in ${resolve(home.dir, path)}`);
  const peers = new Map([[peer.name, peer]]);
  await markOnPeers(context, { ...session, peers }, (await identify(home, hostname())).identity);
  return peers;
}

async function withSession<T>(
  context: Context,
  config: Config,
  index: Index,
  work: (session: Session) => Promise<T>,
  space?: PromisedSpace,
): Promise<T> {
  try {
    return await withPeers(context, config, (peers) => work({ config, index, peers }), space);
  } finally {
    await index.close();
  }
}

export function lockWaitMs({ args }: Context): number {
  const text = args.text('lock-wait');
  const seconds = text === undefined ? 0 : Number(text);
  if (text?.trim() !== '' && Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  throw usage(`--lock-wait ${text}: not a number of seconds`, args.command);
}
