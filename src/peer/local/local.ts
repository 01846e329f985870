/** The local peer: a directory on this machine. What is common to its two layouts: identity, space, errors. */
import { randomUUID } from 'node:crypto';
import type { StatsFs } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { freeBytesOf } from '../../core/disk-space.ts';
import { makeDirectories, makeDirectory } from '../../core/durable-files.ts';
import { ioError, isDamage, reasonOf, ShardctlError } from '../../core/errors.ts';
import type { Metric, Owner } from '../../core/model.ts';
import { isIntact } from '../intact-shard.ts';
import type { Mark, Peer, PeerOwner, PutOptions, SealedShard, ShardReader } from '../peer.ts';
import { shardName } from '../shard-name.ts';
import { CarStore } from './car/car-store.ts';
import { layoutIn, PEER_FORMAT, type PeerIdentity, type PeerLayout, readIdentity, writeIdentity } from './directory/identity.ts';
import { MarkFiles } from './directory/mark-files.ts';
import type { ShardStore } from './directory/shard-store.ts';

const FOLDERS: Readonly<Record<PeerLayout, readonly string[]>> = {
  car: ['shards', 'tmp', 'owners'],
  blockstore: ['blocks', 'pins', 'owners'],
};

export interface LocalPeerOptions {
  readonly name: string;
  /** The peer's directory, absolute. */
  readonly path: string;
  readonly layout: PeerLayout;
  /** The home whose shards are marked as its own. */
  readonly owner: Owner;
  /** Most bytes that its shards may take. */
  readonly capacity?: number | undefined;
  readonly tags?: Readonly<Record<string, string>>;
  readonly reserve?: number | undefined;
  readonly weight?: number | undefined;
  readonly drained?: boolean | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly statfs?: (path: string) => Promise<StatsFs>;
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
  #store: ShardStore | undefined;
  /** Bytes of the shards that are being put, so that several at once do not share the same free space. */
  #claimed = 0;
  #identity: PeerIdentity | undefined;
  #isUpToDate = false;

  /** Touches nothing yet: a directory that is not there (a disk not mounted) shows when the peer is first used. */
  constructor(options: LocalPeerOptions) {
    this.name = options.name;
    this.tags = options.tags ?? {};
    this.reserve = options.reserve ?? 0;
    this.weight = options.weight ?? 1;
    this.drained = options.drained ?? false;
    this.#options = options;
    this.#marks = new MarkFiles(options.path, options.owner);
  }

  /**
   * Makes the directory of a new peer; one that is a peer already is taken as it is.
   * The only place where a peer's directory is created: else a missing disk would be filled in on the disk below it.
   */
  static async create(options: LocalPeerOptions): Promise<LocalPeer> {
    const peer = new LocalPeer(options);
    try {
      makeDirectories(options.path);
      if ((await peer.mendIdentity()) === undefined && (await readIdentity(options)) === undefined) await writeAnew(options);
    } catch (error) {
      throw ioError(error, `setting up peer "${options.name}"`, options.path);
    }
    await peer.id();
    return peer;
  }

  /** The layout of a directory that is a peer already. @throws ShardctlError `TOO_FEW_PEERS` when it is none */
  static async layoutAt(path: string): Promise<PeerLayout> {
    try {
      const identity = await readIdentity({ name: path, path });
      if (identity !== undefined) return identity.layout;
    } catch (error) {
      const evident = isDamage(error) ? await layoutIn(path) : undefined;
      if (evident !== undefined) return evident;
      throw ioError(error, 'opening the peer', path);
    }
    throw new ShardctlError('TOO_FEW_PEERS', `${path} is not a peer: it has no peer.json`, { hint: 'is its disk mounted?' });
  }

  /** What makes this directory this peer, wherever it is mounted. Throws `TOO_FEW_PEERS` when it is not there. */
  async id(): Promise<string> {
    this.#identity ??= await this.#identify();
    return this.#identity.id;
  }

  /**
   * Where `peer.json` is there and damaged, and so is the folder of the layout that the settings name, it is written again; a directory
   * without one may be an empty mount point, and is left alone.
   * @param isDryRun only take it for what it will be @returns what was wrong
   */
  async mendIdentity(isDryRun = false): Promise<string | undefined> {
    try {
      await readIdentity(this.#options);
      return undefined;
    } catch (error) {
      const { path, layout } = this.#options;
      if (!isDamage(error) || (await layoutIn(path)) !== layout) return undefined;
      this.#identity = isDryRun ? { format: PEER_FORMAT, layout, id: '' } : await writeAnew(this.#options);
      return error.message;
    }
  }

  async metric(): Promise<Metric> {
    return this.#guard('asking for the space', async () => {
      const usedBytes = await (await this.#layout()).usedBytes();
      const disk = await this.#diskFree();
      const room = (this.#options.capacity ?? Number.POSITIVE_INFINITY) - usedBytes;
      return { usedBytes, freeBytes: Math.max(0, Math.min(disk, room)), at: (this.#options.now ?? Date.now)() };
    });
  }

  async put(shard: SealedShard, options: PutOptions): Promise<void> {
    await this.#guard(`writing ${shard.label} (${shard.cid})`, async () => {
      options.signal.throwIfAborted();
      const carBytes = (await stat(shard.carPath)).size;
      if (carBytes !== shard.carBytes) {
        throw new ShardctlError('DAMAGE', `the CAR of ${shard.label} has ${carBytes} bytes, not ${shard.carBytes} (${shard.carPath})`);
      }
      const store = await this.#layout();
      // Marked first: from then on nobody takes away what is found here.
      await this.#mark([shard.cid]);
      const size = await store.sizeOf(shard.cid);
      if (options.replace !== true && size === carBytes && (await this.#isWhole(store, shard.cid))) return;
      const used = (await store.usedBytes()) - (size ?? 0) + this.#claimed;
      const room = (this.#options.capacity ?? Number.POSITIVE_INFINITY) - used;
      if (room < carBytes) throw this.#full(shard, room, 'capacity');
      this.#claimed += carBytes;
      try {
        await store.put(shard, { ...options, beforeCopy: () => this.#checkDisk(shard) });
      } finally {
        this.#claimed -= carBytes;
      }
    });
  }

  async #isWhole(store: ShardStore, cid: string): Promise<boolean> {
    return (await isIntact(() => store.open(cid))) && (await store.confirm(cid));
  }

  /** Loading blockstore-fs takes 50 ms: only those who use it pay for it. */
  async #layout(): Promise<ShardStore> {
    const { layout, path } = this.#options;
    this.#store ??=
      layout === 'car' ? new CarStore(path, this.#marks) : new (await import('./blockstore/block-store.ts')).BlockStore(path, this.#marks);
    return this.#store;
  }

  async has(cid: string): Promise<boolean> {
    return this.#guard(`looking for shard ${cid}`, async () => (await (await this.#layout()).sizeOf(cid)) !== undefined);
  }

  async open(cid: string): Promise<ShardReader> {
    return this.#guard(`opening shard ${cid}`, async () => (await this.#layout()).open(cid));
  }

  async salvage(cid: string): Promise<ShardReader> {
    return this.#guard(`opening what is left of shard ${cid}`, async () => (await this.#layout()).salvage(cid));
  }

  async *list(): AsyncIterable<string> {
    await this.id();
    try {
      yield* (await this.#layout()).list();
    } catch (error) {
      throw ioError(error, `listing the shards of peer "${this.name}"`, this.#options.path);
    }
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
    return await this.#guard('asking who is here', () => this.#marks.owners());
  }

  async *marks(): AsyncIterable<Mark> {
    await this.id();
    yield* this.#marks.all();
  }

  async #mark(cids: readonly string[]): Promise<void> {
    await this.#bringUpToDate();
    await this.#marks.mark(cids, (this.#options.now ?? Date.now)());
  }

  /**
   * A peer without marks, as earlier versions made it, gets a place for them, and a format that keeps those versions away. Folders that
   * were taken away are made again, as tools that copy no empty ones do: right after `peer.json` was read, because they must not come
   * into being on an empty mount point.
   */
  async #bringUpToDate(): Promise<void> {
    if (this.#isUpToDate) return;
    const identity = await this.#identify();
    for (const folder of FOLDERS[identity.layout]) await makeDirectory(join(this.#options.path, folder));
    this.#identity = identity.format === PEER_FORMAT ? identity : await writeIdentity(this.#options.path, identity);
    this.#isUpToDate = true;
  }

  async #guard<T>(doing: string, work: () => Promise<T>): Promise<T> {
    await this.id();
    try {
      return await work();
    } catch (error) {
      // An abort is not a fault of the disk: it goes on as it is.
      if (error instanceof Error && error.name === 'AbortError') throw error;
      throw ioError(error, `${doing} on peer "${this.name}"`, this.#options.path);
    }
  }

  /** @throws ShardctlError `TOO_FEW_PEERS` when the file system does not say, and no capacity says it instead */
  async #diskFree(): Promise<number> {
    const { path, capacity, statfs: ask = statfs } = this.#options;
    let said = '';
    try {
      const free = freeBytesOf(await ask(path));
      if (free !== undefined) return free;
    } catch (error) {
      said = `: ${reasonOf(error)}`;
    }
    if (capacity !== undefined) return Number.POSITIVE_INFINITY;
    throw new ShardctlError('TOO_FEW_PEERS', `the file system of peer "${this.name}" (${path}) does not say how much is free${said}`, {
      hint: `say how much its shards may take: \`shardctl peers set ${this.name} --capacity 500GB\``,
    });
  }

  /** What the others are about to copy counts as used, as far as it is not on the disk yet; so this errs on the safe side. */
  async #checkDisk(shard: SealedShard): Promise<void> {
    const room = (await this.#diskFree()) - (this.#claimed - shard.carBytes);
    if (room < shard.carBytes) throw this.#full(shard, room, 'disk');
  }

  #full(shard: SealedShard, room: number, what: 'disk' | 'capacity'): ShardctlError {
    const free = Math.max(0, room);
    return new ShardctlError(
      'NO_SPACE',
      `peer "${this.name}" has ${free} bytes left of its ${what} and needs ${shard.carBytes} for ${shard.label}`,
      {
        hint:
          what === 'disk'
            ? `free some space on the disk of ${this.#options.path} or add a peer with \`shardctl peers add\``
            : `raise the capacity of peer "${this.name}" or add another with \`shardctl peers add\``,
      },
    );
  }

  async #identify(): Promise<PeerIdentity> {
    const { name, path, layout } = this.#options;
    let identity: PeerIdentity | undefined;
    try {
      identity = await readIdentity(this.#options);
    } catch (error) {
      if (isDamage(error) && (await layoutIn(path)) !== layout) {
        throw new ShardctlError('DAMAGE', `${join(path, 'peer.json')} is damaged, and there are no shards of layout ${layout} beside it`, {
          hint: `is ${path} the directory of peer "${name}"? If it is gone for good: \`shardctl peers rm ${name} --force\`, then \`shardctl repair\``,
        });
      }
      throw ioError(error, `opening peer "${name}"`, path);
    }
    if (identity === undefined) {
      throw new ShardctlError('TOO_FEW_PEERS', `peer "${name}" is not there: ${join(path, 'peer.json')} does not exist`, {
        hint: `is its disk mounted? If it is gone for good: \`shardctl peers rm ${name} --force\`, then \`shardctl repair\``,
        retryable: true,
      });
    }
    if (identity.layout !== layout) {
      throw new ShardctlError('BAD_CONFIG', `peer "${name}" (${path}) has layout ${identity.layout}, not ${layout}`, {
        hint: 'a layout cannot be changed: use the peer with its own, or another directory',
      });
    }
    return identity;
  }
}

/** The ID is new too: all it is for is to tell two names of one directory. */
async function writeAnew({ path, layout }: LocalPeerOptions): Promise<PeerIdentity> {
  for (const folder of FOLDERS[layout]) await makeDirectory(join(path, folder));
  return await writeIdentity(path, { layout, id: randomUUID() });
}
