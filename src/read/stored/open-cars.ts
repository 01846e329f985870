/**
 * The CARs on this machine that are open, each with the offsets of its blocks. They take at most 512 descriptors, two for a shard of more
 * than 4,000 blocks. Those that nobody has used for a minute are closed, and those that were removed when it is said to (`leaveRemoved`):
 * a CAR that was removed takes its space on the disk as long as it is open. Holds 16 bytes a block of smaller shards, and of larger ones 5
 * bytes for each 255 blocks (16 bytes a block where no file of offsets can be written); in all 32 MiB and one shard more.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { setImmediate as immediate } from 'node:timers/promises';
import { isGone } from '../../core/errno.ts';
import { errnoOf, ioError, isDamage, ShardctlError } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import { DIGEST_BYTES } from '../../core/model.ts';
import { openRegularSync } from '../../core/regular-files.ts';
import { parseCid } from '../../dag/cid.ts';
import type { Peer } from '../../peer/peer.ts';
import { CAR_HEADER_BYTES, SectionCursor, sectionHeaderBytes } from '../../shard/car.ts';
import type { OffsetsCache, OpenOffsets } from './offsets-cache.ts';
import { encodeOffsets } from './offsets-file.ts';
import { OpenCar } from './open-car.ts';

const MOST_DESCRIPTORS = 512;
const MOST_LEAVING = 32;
const MOST_HELD_BYTES = 32 * 1024 * 1024;
const IDLE_MS = 60_000;
const TURN_MS = 5;
/** Out of descriptors, in this process or on this machine. */
const NO_DESCRIPTOR = new Set(['EMFILE', 'ENFILE']);

export class OpenCars {
  readonly #cache: OffsetsCache;
  /** By shard and peer. */
  readonly #cars = new Map<string, OpenCar>();
  /** By shard, one of those that are open. */
  readonly #anyOf = new Map<string, OpenCar>();
  readonly #opening = new Map<string, Promise<OpenCar | undefined>>();
  /** To be closed in the next turn of the event loop: in this one somebody may have an extent of them. */
  readonly #leaving: OpenCar[] = [];
  #heldBytes = 0;
  #descriptors = 0;
  #steps = 0;
  /** Steps at the last look for those that nobody uses. */
  #seenSteps = 0;
  #idle: NodeJS.Timeout | undefined;
  /** Ends when the last file of offsets that is being made is done: one at a time, as each takes the processor and 100 bytes a block. */
  #made: Promise<unknown> = Promise.resolve();

  constructor(cache: OffsetsCache) {
    this.#cache = cache;
  }

  /** The CAR of a shard, if it is open on any peer. */
  get(cid: string): OpenCar | undefined {
    const car = this.#anyOf.get(cid);
    if (car !== undefined) car.usedAt = ++this.#steps;
    return car;
  }

  /**
   * Opens the CAR that the peer has of a shard.
   * @returns undefined when the peer keeps shards in another way, or the CAR cannot be read by offsets because its manifest is damaged
   * @throws ShardctlError `NOT_FOUND`, `DAMAGE`, `IO`, `TOO_FEW_PEERS`
   */
  async open(cid: string, peer: Peer): Promise<OpenCar | undefined> {
    const key = keyOf(cid, peer.name);
    const open = this.#cars.get(key);
    if (open !== undefined) {
      open.usedAt = ++this.#steps;
      // The one of another peer that was found by `get` may have been closed.
      if (!this.#anyOf.has(cid)) this.#anyOf.set(cid, open);
      return open;
    }
    const opening = this.#opening.get(key) ?? this.#open(cid, peer).finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return await opening;
  }

  /** Closes the CAR of a shard, whose file has been removed or whose offsets were wrong. */
  leave(car: OpenCar): void {
    if (!this.#cars.delete(keyOf(car.cid, car.peer))) return;
    if (this.#anyOf.get(car.cid) === car) this.#anyOf.delete(car.cid);
    this.#heldBytes -= car.heldBytes;
    this.#descriptors -= car.descriptors;
    if (this.#leaving.push(car) === 1) setImmediate(() => this.#closeLeft());
  }

  /** Closes those whose files have been removed, unless somebody reads them: as long as they are open, their space is not free. */
  leaveRemoved(): void {
    for (const car of [...this.#cars.values()]) if (!car.isHeld && fstatSync(car.fd).nlink === 0) this.leave(car);
  }

  #closeLeft(): void {
    for (const car of this.#leaving.splice(0)) car.leave();
  }

  /** As `leave`, and the file of offsets is made again. */
  distrust(car: OpenCar): void {
    this.leave(car);
    this.#cache.drop(car.cid);
  }

  close(): void {
    clearInterval(this.#idle);
    this.#idle = undefined;
    for (const car of [...this.#cars.values()]) this.leave(car);
  }

  async #open(cid: string, peer: Peer): Promise<OpenCar | undefined> {
    // Whoever awaits nothing but blocks that are at hand gives no turn in which files would be closed.
    if (this.#leaving.length > MOST_LEAVING) await immediate();
    const path = await peer.carPath?.(cid);
    if (path === undefined) return undefined;
    const { fd, size } = await this.#file(path, cid, peer);
    try {
      const offsets = this.#cache.open(cid) ?? (await this.#makeAlone(cid, peer, fd, size));
      if (offsets === undefined) {
        closeSync(fd);
        return undefined;
      }
      return this.#add(new OpenCar(cid, peer.name, path, fd, size, offsets));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  async #file(path: string, cid: string, peer: Peer): Promise<ReturnType<typeof openRegularSync>> {
    try {
      return openRegularSync(path);
    } catch (error) {
      const errno = errnoOf(error) ?? '';
      try {
        // A home that takes its mark from the shard moves it out of sight for a moment, even if another home counts on it.
        if (isGone(errno) && (await peer.has(cid))) return openRegularSync(path);
        if (NO_DESCRIPTOR.has(errno) && this.#cars.size > 0) {
          for (const car of [...this.#cars.values()]) if (!car.isHeld) this.leave(car);
          await immediate();
          return openRegularSync(path);
        }
      } catch {
        // The first error says what is wrong.
      }
      if (isGone(errno)) throw new ShardctlError('NOT_FOUND', `shard ${cid} is not here (${path})`, { cause: error });
      throw ioError(error, `opening shard ${cid}`, path);
    }
  }

  #add(car: OpenCar): OpenCar {
    this.#cars.set(keyOf(car.cid, car.peer), car);
    this.#anyOf.set(car.cid, car);
    this.#heldBytes += car.heldBytes;
    this.#descriptors += car.descriptors;
    car.usedAt = ++this.#steps;
    while (this.#descriptors > MOST_DESCRIPTORS || this.#heldBytes > MOST_HELD_BYTES) {
      const oldest = this.#oldest(car);
      if (oldest === undefined) break;
      this.leave(oldest);
    }
    if (this.#idle === undefined) this.#idle = setInterval(() => this.#closeIdle(), IDLE_MS).unref();
    return car;
  }

  /** Of those that nobody holds: to leave one that is held would free nothing. */
  #oldest(except: OpenCar): OpenCar | undefined {
    let oldest: OpenCar | undefined;
    for (const car of this.#cars.values())
      if (car !== except && !car.isHeld && (oldest === undefined || car.usedAt < oldest.usedAt)) oldest = car;
    return oldest;
  }

  #closeIdle(): void {
    for (const car of [...this.#cars.values()]) if (car.usedAt <= this.#seenSteps && !car.isHeld) this.leave(car);
    this.#seenSteps = this.#steps;
    if (this.#cars.size > 0) return;
    clearInterval(this.#idle);
    this.#idle = undefined;
  }

  #makeAlone(cid: string, peer: Peer, fd: number, size: number): Promise<OpenOffsets | undefined> {
    // Another process may have made it while this one waited.
    const made = this.#made.then(() => this.#cache.open(cid) ?? this.#make(cid, peer, fd, size));
    this.#made = made.catch(() => {});
    return made;
  }

  async #make(cid: string, peer: Peer, fd: number, size: number): Promise<OpenOffsets | undefined> {
    const reader = await peer.open(cid);
    try {
      // A manifest that was made again from the blocks says what they are, and not where.
      if (reader.damage !== undefined) return undefined;
      const { digests, lengths } = reader.contents();
      const turns = new Turns(undefined, TURN_MS);
      const end = lengths.reduce((at, length) => at + sectionHeaderBytes(length) + length, CAR_HEADER_BYTES);
      const nodes = nodesFrom(fd, end, size);
      await turns.give();
      const count = lengths.length + nodes.length;
      const places = {
        digests: Buffer.concat([digests, ...nodes.map(({ digest }) => digest)]),
        at: new Float64Array(count),
        lengths: new Uint32Array(count),
      };
      let at = CAR_HEADER_BYTES;
      for (const [block, length] of [...lengths, ...nodes.map(({ length: its }) => its)].entries()) {
        at += sectionHeaderBytes(length);
        places.at[block] = at;
        places.lengths[block] = length;
        at += length;
      }
      await turns.give();
      return await this.#cache.keep(cid, await encodeOffsets(parseCid(cid).digest, places, turns));
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    } finally {
      await reader.close();
    }
  }
}

function keyOf(cid: string, peer: string): string {
  return `${cid} ${peer}`;
}

interface NodePlace {
  readonly digest: Buffer;
  readonly length: number;
}

/** The manifest's nodes, which stand behind the blocks. @throws ShardctlError `DAMAGE` when the rest of the file is not made of sections */
function nodesFrom(fd: number, from: number, size: number): NodePlace[] {
  const bytes = Buffer.allocUnsafe(size - from);
  const cursor = new SectionCursor(bytes, 0, readSync(fd, bytes, 0, bytes.length, from));
  const nodes: NodePlace[] = [];
  while (cursor.next()) {
    const digest = Buffer.from(bytes.subarray(cursor.digestAt, cursor.digestAt + DIGEST_BYTES));
    nodes.push({ digest, length: cursor.end - cursor.dataAt });
  }
  return nodes;
}
