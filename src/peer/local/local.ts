/** The local peer: a directory on this machine. Its two layouts are stores behind `ShardStore`; what they have in common is here. */
import { stat } from 'node:fs/promises';
import { makeDirectories } from '../../core/durable-files.ts';
import { isGone } from '../../core/errno.ts';
import { errnoOf, HomeFailure, ioError, isDamage, ShardctlError } from '../../core/errors.ts';
import type { Metric, Owner } from '../../core/model.ts';
import { isIntact } from '../intact-shard.ts';
import type { Mark, Peer, PeerOwner, PeerSettings, PutOptions, SealedShard, ShardBytes, ShardReader } from '../peer.ts';
import { shardName } from '../shard-name.ts';
import { CarStore } from './car/car-store.ts';
import {
  identityOf,
  layoutIn,
  makeFolders,
  makePeer,
  PEER_FORMAT,
  type PeerIdentity,
  type PeerLayout,
  readIdentity,
  writeIdentity,
} from './directory/identity.ts';
import { MarkFiles } from './directory/mark-files.ts';
import type { ShardStore } from './directory/shard-store.ts';
import { FreeSpace, type FreeSpaceOptions } from './free-space.ts';

export interface LocalPeerOptions extends FreeSpaceOptions, PeerSettings {
  /** The peer's directory, absolute. */
  readonly path: string;
  readonly layout: PeerLayout;
  /** The home whose shards are marked as its own. */
  readonly owner: Owner;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export class LocalPeer implements Peer {
  readonly kind = 'local';
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly reserve: number;
  readonly weight: number;
  readonly drained: boolean;
  readonly #options: LocalPeerOptions;
  readonly #marks: MarkFiles;
  readonly #space: FreeSpace;
  #store: ShardStore | undefined;
  #identity: PeerIdentity | undefined;
  #isUpToDate = false;

  /** Touches nothing yet: whether the directory is there, or its disk not mounted, shows when the peer is first used. */
  constructor(options: LocalPeerOptions) {
    this.name = options.name;
    this.tags = options.tags ?? {};
    this.reserve = options.reserve ?? 0;
    this.weight = options.weight ?? 1;
    this.drained = options.drained ?? false;
    this.#options = options;
    this.#marks = new MarkFiles(options.path, options.owner);
    this.#space = new FreeSpace(options);
  }

  /**
   * Makes the directory of a new peer; a directory that is a peer already is used as it is. Nothing else creates a peer's directory:
   * while a disk is not mounted, its shards would be written to the disk that holds the mount point.
   */
  static async create(options: LocalPeerOptions): Promise<LocalPeer> {
    const peer = new LocalPeer(options);
    try {
      makeDirectories(options.path);
      if ((await peer.mendIdentity()) === undefined && (await readIdentity(options)) === undefined) await makePeer(options);
    } catch (error) {
      throw ioError(error, `setting up peer "${options.name}"`, options.path);
    }
    await peer.id();
    return peer;
  }

  /** The ID of this directory, which it keeps wherever it is mounted. @throws ShardctlError `TOO_FEW_PEERS` when it is not there */
  async id(): Promise<string> {
    this.#identity ??= await identityOf(this.#options);
    return this.#identity.id;
  }

  /**
   * Writes `peer.json` again if it is damaged and the folders beside it are those of the layout in the settings. A directory without
   * them may be an empty mount point, and is left alone.
   * @param isDryRun writes nothing, and takes the peer for what it would be then @returns what was wrong
   */
  async mendIdentity(isDryRun = false): Promise<string | undefined> {
    try {
      await readIdentity(this.#options);
      return undefined;
    } catch (error) {
      const { path, layout } = this.#options;
      if (!isDamage(error) || (await layoutIn(path)) !== layout) return undefined;
      this.#identity = isDryRun ? { format: PEER_FORMAT, layout, id: '' } : await makePeer(this.#options);
      return error.message;
    }
  }

  async metric(): Promise<Metric> {
    return this.#guard(
      'asking for the space',
      async () => {
        const store = await this.#layout();
        return { ...(await this.#space.metric((isAnew) => store.usedBytes(isAnew))), at: this.#now() };
      },
      always,
    );
  }

  async put(shard: SealedShard, options: PutOptions): Promise<void> {
    await this.#guard(`writing ${shard.label} (${shard.cid})`, async () => {
      options.signal.throwIfAborted();
      const carBytes = (await stat(shard.carPath)).size;
      if (carBytes !== shard.carBytes) {
        throw new ShardctlError('DAMAGE', `the CAR of ${shard.label} has ${carBytes} bytes, not ${shard.carBytes} (${shard.carPath})`);
      }
      const store = await this.#layout();
      // Marked before anything is looked for: from now on no other home removes a shard that is found here.
      await this.#mark([shard.cid]);
      const size = await store.sizeOf(shard.cid);
      if (options.replace !== true && size === carBytes && (await this.#isSound(store, shard.cid))) return;
      const used = async (isAnew: boolean) => (await store.usedBytes(isAnew)) - (size ?? 0);
      await this.#space.claim(shard, used, (beforeCopy) => store.put(shard, { ...options, beforeCopy }));
    });
  }

  /** Whether all of the shard reads back, and its name is durable. */
  async #isSound(store: ShardStore, cid: string): Promise<boolean> {
    return (await isIntact(() => store.open(cid))) && (await store.confirm(cid));
  }

  /** What names the blocks of layout `blockstore` is loaded only for a peer of it. */
  async #layout(): Promise<ShardStore> {
    const { layout, path } = this.#options;
    if (layout === 'car') this.#store ??= new CarStore(path, this.#marks);
    else this.#store ??= new (await import('./blockstore/block-store.ts')).BlockStore(path, this.#marks, () => this.#assertThere());
    return this.#store;
  }

  async has(cid: string): Promise<boolean> {
    return this.#guard(
      `looking for shard ${cid}`,
      async () => (await (await this.#layout()).sizeOf(cid)) !== undefined,
      (found) => !found,
    );
  }

  async open(cid: string): Promise<ShardReader> {
    return this.#guard(`opening shard ${cid}`, async () => (await this.#layout()).open(cid));
  }

  async salvage(cid: string): Promise<ShardReader> {
    return this.#guard(`opening what is left of shard ${cid}`, async () => (await this.#layout()).salvage(cid), always);
  }

  async carPath(cid: string): Promise<string | undefined> {
    return this.#guard(
      `looking for shard ${cid}`,
      async () => (await this.#layout()).carPath?.(cid),
      (path) => path === undefined,
    );
  }

  async shardBytes(cid: string): Promise<readonly ShardBytes[]> {
    const path = await this.carPath(cid);
    return path === undefined ? [] : [{ form: 'car', path }];
  }

  async block(digest: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#guard('reading a block', async () => (await this.#layout()).block?.(digest));
  }

  async glance(cid: string, digest: Uint8Array): Promise<Uint8Array | undefined> {
    return await this.#guard('reading a block', async () => (await this.#layout()).glance?.(cid, digest)).catch(() => undefined);
  }

  async *list(): AsyncIterable<string> {
    await this.id();
    const store = await this.#layout();
    yield* this.#guardList('listing the shards', () => store.list());
  }

  async mark(cids: readonly string[]): Promise<void> {
    await this.#guard('marking shards', () => this.#mark(cids));
  }

  async remove(cid: string, owner?: string): Promise<'removed' | 'kept'> {
    return await this.#guard(`removing shard ${cid}`, async () => {
      shardName(cid);
      await this.#bringUpToDate();
      await this.#marks.release(cid, owner);
      if (await this.#marks.isMarked(cid)) return 'kept';
      return await (await this.#layout()).remove(cid);
    });
  }

  async owners(): Promise<readonly PeerOwner[]> {
    return await this.#guard('asking who is here', () => this.#marks.owners(), always);
  }

  async *marks(): AsyncIterable<Mark> {
    await this.id();
    yield* this.#guardList('listing the marks', () => this.#marks.all());
  }

  async #mark(cids: readonly string[]): Promise<void> {
    await this.#bringUpToDate();
    await this.#marks.mark(cids, this.#now());
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  /**
   * Gives a peer of the first format, which had no marks, a folder for them and the new format: versions that know no marks refuse it
   * from then on. Makes missing folders again, because tools that copy a peer may leave out empty ones. Only after `peer.json` was read:
   * nothing may be made on an empty mount point.
   */
  async #bringUpToDate(): Promise<void> {
    if (this.#isUpToDate) return await this.#assertThere();
    const identity = await identityOf(this.#options);
    await makeFolders(this.#options.path, identity.layout);
    this.#identity = identity.format === PEER_FORMAT ? identity : await writeIdentity(this.#options.path, identity);
    this.#isUpToDate = true;
  }

  /**
   * A disk may be unmounted while a run uses it: what is not there then is silent, and not lost.
   * @param mayBeGone whether an empty mount point would give the same answer
   */
  async #guard<T>(doing: string, work: () => Promise<T>, mayBeGone: (answer: T) => boolean = never): Promise<T> {
    await this.id();
    try {
      const answer = await work();
      if (mayBeGone(answer)) await this.#assertThere();
      return answer;
    } catch (error) {
      // An abort is no fault of the disk: it is thrown as it is.
      if (error instanceof Error && error.name === 'AbortError') throw error;
      if (error instanceof HomeFailure) throw error;
      if (isNotThere(error)) await this.#assertThere();
      throw ioError(error, `${doing} on peer "${this.name}"`, this.#options.path);
    }
  }

  /** As `#guard`: what an empty mount point lists is no list. */
  async *#guardList<T>(doing: string, list: () => AsyncIterable<T>): AsyncIterable<T> {
    try {
      yield* list();
    } catch (error) {
      if (isNotThere(error)) await this.#assertThere();
      throw ioError(error, `${doing} of peer "${this.name}"`, this.#options.path);
    }
    await this.#assertThere();
  }

  /**
   * Looks whether the disk is still there, whatever its `peer.json` says: when it was opened that was whole, or could be mended.
   * @throws ShardctlError `TOO_FEW_PEERS`, and not to be tried again: nobody mounts a disk within seconds
   */
  async #assertThere(): Promise<void> {
    try {
      await identityOf(this.#options);
    } catch (error) {
      if (isDamage(error)) return;
      if (!(error instanceof ShardctlError)) throw error;
      throw new ShardctlError(error.code, error.message, { hint: error.hint, cause: error });
    }
  }
}

const always = (): boolean => true;
const never = (): boolean => false;

function isNotThere(error: unknown): boolean {
  return (error instanceof ShardctlError && error.code === 'NOT_FOUND') || isGone(errnoOf(error));
}
