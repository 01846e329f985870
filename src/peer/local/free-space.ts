/** How much a local peer can still take: what its disk has free and its settings allow, less what is being copied to it at this moment. */
import type { StatsFs } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { freeBytesOf } from '../../core/disk-space.ts';
import { reasonOf, ShardctlError } from '../../core/errors.ts';
import type { Disk } from '../../core/model.ts';
import type { SealedShard } from '../peer.ts';

/** What others do on the same peer, where several runs share it. */
export interface SharedSpace {
  /** `bytes` that they are putting there; `isNews` when what lies there has to be counted anew. */
  look(peer: string): { readonly bytes: number; readonly isNews: boolean };
  /** Tells them of bytes that are about to be put there, until these are released. */
  promise(peer: string, bytes: number): { release(): void };
}

/** Bytes of the shards that are there. @param isAnew counts them again */
type Used = (isAnew: boolean) => Promise<number>;

export interface FreeSpaceOptions {
  /** Name of the peer. */
  readonly name: string;
  /** Directory of the peer. */
  readonly path: string;
  /** Most bytes that its shards may take. */
  readonly capacity?: number | undefined;
  /** Absent when nobody else can be at work. */
  readonly space?: SharedSpace | undefined;
  readonly statfs?: (path: string) => Promise<StatsFs>;
}

export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  /** Bytes of the shards that are being put, so that several puts at once do not count on the same free space. */
  #claimed = 0;
  /** Claims that are being made: as long as there is one, what others end of theirs stays claimed, as their shards may not be counted. */
  #claiming = 0;
  #ended = 0;

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
  }

  /** @throws ShardctlError as `#diskFree` does */
  async metric(used: Used): Promise<{ usedBytes: number; freeBytes: number; disk?: Disk }> {
    const onDisk = await this.#diskFree();
    const { usedBytes, promised } = await this.#now(used);
    const freeBytes = Math.max(0, Math.min(onDisk, this.#capacity - usedBytes - promised));
    if (!Number.isFinite(onDisk)) return { usedBytes, freeBytes };
    return { usedBytes, freeBytes, disk: { id: String((await stat(this.#options.path)).dev), freeBytes: onDisk } };
  }

  /**
   * Claims the space of a shard while `put` stores it.
   * @param used bytes of the other shards that are there @param put is given a check of the disk, to be called before bytes are copied
   * @throws ShardctlError `NO_SPACE`
   */
  async claim(shard: SealedShard, used: Used, put: (checkDisk: () => Promise<void>) => Promise<void>): Promise<void> {
    const { carBytes } = shard;
    const { name, capacity, space } = this.#options;
    const promise = capacity === undefined ? undefined : space?.promise(name, carBytes);
    try {
      await this.#claim(shard, used);
      try {
        await put(() => this.#checkDisk(shard));
      } finally {
        this.#ended += carBytes;
        this.#settle();
      }
    } finally {
      promise?.release();
    }
  }

  async #claim(shard: SealedShard, used: Used): Promise<void> {
    const { carBytes } = shard;
    this.#claiming++;
    try {
      const { usedBytes, promised } = await this.#now(used);
      const room = this.#capacity - usedBytes - promised - this.#claimed;
      if (room < carBytes) throw this.#full(shard, room, 'capacity');
      this.#claimed += carBytes;
    } finally {
      this.#claiming--;
      this.#settle();
    }
  }

  #settle(): void {
    if (this.#claiming > 0) return;
    this.#claimed -= this.#ended;
    this.#ended = 0;
  }

  /** What is there now, and what others are putting there. */
  async #now(used: Used): Promise<{ readonly usedBytes: number; readonly promised: number }> {
    const { name, capacity, space } = this.#options;
    const others = capacity === undefined ? undefined : space?.look(name);
    return { usedBytes: await used(others?.isNews === true), promised: others?.bytes ?? 0 };
  }

  get #capacity(): number {
    return this.#options.capacity ?? Number.POSITIVE_INFINITY;
  }

  /** @throws ShardctlError `TOO_FEW_PEERS` when the file system does not say what is free, and no capacity limits the peer instead */
  async #diskFree(): Promise<number> {
    const { name, path, capacity, statfs: ask = statfs } = this.#options;
    let said = '';
    try {
      const free = freeBytesOf(await ask(path));
      if (free !== undefined) return free;
    } catch (error) {
      said = `: ${reasonOf(error)}`;
    }
    if (capacity !== undefined) return Number.POSITIVE_INFINITY;
    throw new ShardctlError('TOO_FEW_PEERS', `the file system of peer "${name}" (${path}) does not say how much is free${said}`, {
      hint: `say how much its shards may take: \`shardctl peers set ${name} --capacity 500GB\``,
    });
  }

  /** Takes off what the other puts have claimed, although a part of that may be on the disk already: it errs on the safe side. */
  async #checkDisk(shard: SealedShard): Promise<void> {
    const room = (await this.#diskFree()) - (this.#claimed - shard.carBytes);
    if (room < shard.carBytes) throw this.#full(shard, room, 'disk');
  }

  #full({ carBytes, label }: SealedShard, room: number, what: 'disk' | 'capacity'): ShardctlError {
    const { name, path } = this.#options;
    const free = Math.max(0, room);
    return new ShardctlError('NO_SPACE', `peer "${name}" has ${free} bytes left of its ${what} and needs ${carBytes} for ${label}`, {
      hint:
        what === 'disk'
          ? `free some space on the disk of ${path} or add a peer with \`shardctl peers add\``
          : `raise the capacity of peer "${name}" or add another with \`shardctl peers add\``,
    });
  }
}
