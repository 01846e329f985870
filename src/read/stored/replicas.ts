/**
 * The copies of shards on the peers of a home, as long as a process runs: views of the home come and go, and these stay open. A block is
 * read where that costs least: by its offset in a CAR on this machine, by itself from a daemon, through the shard's manifest else; and
 * from another replica when one is damaged, missing or silent.
 *
 * Holds what `OpenCars` and `Failures` say, and at most 8 shards that are open by their manifests (100 bytes a block), and what four
 * CARs look like (150 bytes a block).
 */
import { ioError, isDamage, isShortage, ShardctlError } from '../../core/errors.ts';
import { blockText, hashesTo } from '../../dag/cid.ts';
import { type Peer, type ShardContents, troubleOf } from '../../peer/peer.ts';
import { type BlockPlace, unreadable } from '../blocks/block-source.ts';
import { OpenReaders } from '../blocks/open-readers.ts';
import { CarLayout } from './car-layout.ts';
import { Failures } from './failures.ts';
import { firstAnswer } from './first-answer.ts';
import { OffsetsCache } from './offsets-cache.ts';
import type { Offset } from './offsets-file.ts';
import type { OpenCar } from './open-car.ts';
import { OpenCars } from './open-cars.ts';

/** A block up to this size is read at once from a file on this machine; a larger one while others get their turn. */
export const AT_ONCE_BYTES = 64 * 1024;

/** So many blocks of a shard are read by themselves before the shard is opened: whoever reads on gets the next ones with few questions. */
const MOST_ALONE = 8;
const MOST_COUNTED = 1024;
const MOST_LAYOUTS = 4;

export interface ReplicasOptions {
  readonly peers: ReadonlyMap<string, Peer>;
  /** Directory for what is computed once of each shard, which anybody may delete at any time; made when it is needed. Without one it is kept in memory. */
  readonly cache?: string;
  /** Called once a day for each peer and message when a replica cannot be read, and again when a silent peer has answered in between. */
  readonly onTrouble?: (message: string, cause: string, peer: string) => void;
  /** So long a peer may take before another one is asked for the same block, too; in milliseconds. */
  readonly patienceMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A shard, and where it should be. */
export interface ReplicaPlace extends BlockPlace {
  /** Whether the peer should still have it: if not, it is no trouble that it has not. */
  readonly isStillOn?: (peer: string) => boolean;
}

export interface Failure {
  readonly peer: string;
  readonly error: ShardctlError;
}

export class Replicas {
  readonly options: ReplicasOptions;
  readonly cars: OpenCars;
  readonly offsets: OffsetsCache;
  /** By CID of a shard or catalogue: digests of the blocks in it that the block table does not have, its root left out. */
  readonly nodes = new Map<string, Buffer>();
  readonly #failures: Failures;
  readonly #readers: OpenReaders;
  /** By CID: those that were used last, so that many who ask for parts of one shard do not have it computed each time. */
  readonly #layouts = new Map<string, CarLayout>();
  /** By peer and shard: blocks that were read by themselves. */
  readonly #alone = new Map<string, number>();

  constructor(options: ReplicasOptions) {
    const now = options.now ?? Date.now;
    this.options = options;
    this.offsets = new OffsetsCache(options.cache, now);
    this.cars = new OpenCars(this.offsets);
    this.#failures = new Failures(now);
    this.#readers = new OpenReaders({
      peers: options.peers,
      onTrouble: (message, cause, peer) => this.#tell(message, message, cause, peer),
      onFailure: (peer, cid, error) => {
        if (error.code !== 'TOO_FEW_PEERS' && !isShortage(error)) this.#failures.note(peer, cid, error);
      },
    });
  }

  /**
   * A block of the shard, or a node of its manifest, hashed.
   * @param failures gets what each peer said that was asked and did not give it
   * @returns undefined when no peer gives it
   */
  async read(place: ReplicaPlace, digest: Uint8Array, failures: Failure[] = []): Promise<Uint8Array | undefined> {
    const asks = this.#inOrder(place).map((name) => async () => {
      try {
        return await this.#ask(name, place, digest);
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        failures.push({ peer: name, error });
        this.#report(name, place, error);
        throw error;
      }
    });
    if (asks.length === 0) return undefined;
    const onError = (error: unknown) => {
      if (!(error instanceof ShardctlError)) throw error;
    };
    const block = await firstAnswer(asks, onError, this.options.patienceMs);
    this.#askAgain(place);
    return block;
  }

  /** As `read`. @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when no peer gives it */
  async need(place: ReplicaPlace, digest: Uint8Array): Promise<Uint8Array> {
    const failures: Failure[] = [];
    const block = await this.read(place, digest, failures);
    if (block === undefined) throw unreadable(digest, place, failures);
    return block;
  }

  /** Opens the CAR of a shard on this machine; undefined when no peer has it in a file here that can be opened. */
  async carOf(place: ReplicaPlace): Promise<OpenCar | undefined> {
    for (const name of place.peers) {
      const peer = this.options.peers.get(name);
      if (peer?.carPath === undefined || this.#failures.of(name, place.cid) !== undefined) continue;
      try {
        const car = await this.cars.open(place.cid, peer);
        if (car !== undefined) return car;
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        this.#note(name, place.cid, error);
        this.#report(name, place, error);
      }
    }
    return undefined;
  }

  /** What the CAR of the shard looks like. @throws ShardctlError when no peer gives the manifest */
  async layoutOf(place: ReplicaPlace): Promise<CarLayout> {
    const layout = this.#layouts.get(place.cid) ?? (await CarLayout.of(place.cid, await this.#contents(place)));
    this.#layouts.delete(place.cid);
    this.#layouts.set(place.cid, layout);
    for (const cid of this.#layouts.keys()) if (this.#layouts.size > MOST_LAYOUTS) this.#layouts.delete(cid);
    return layout;
  }

  /** By the manifest on the first peer that can be asked. */
  async #contents(place: ReplicaPlace): Promise<ShardContents> {
    let failure: ShardctlError | undefined;
    for (const name of this.#inOrder(place)) {
      try {
        const silence = this.#failures.of(name, place.cid) ?? this.#failures.silenceOf(name);
        if (silence !== undefined) throw silence;
        return await this.#readers.use(name, place.cid, async (reader) => reader.contents());
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        this.#note(name, undefined, error);
        this.#report(name, place, error);
        failure ??= error;
      }
    }
    throw failure ?? new ShardctlError('TOO_FEW_PEERS', `no peer that is set up holds shard ${place.cid}`);
  }

  /**
   * For when shards may have been removed: the space of a file on this machine is free only when nobody has it open. Readers do not know
   * which files these are, so each of a local peer that nobody uses is closed.
   */
  async leaveRemoved(): Promise<void> {
    this.cars.leaveRemoved();
    await this.#readers.leaveUnused((name) => this.options.peers.get(name)?.kind === 'local');
  }

  async close(): Promise<void> {
    this.cars.close();
    await this.#readers.close();
  }

  /** Those on this machine first, those that are silent last. */
  #inOrder({ peers }: ReplicaPlace): string[] {
    if (peers.length < 2) return [...peers];
    const rank = (name: string) => (this.#failures.isSilent(name) ? 2 : this.options.peers.get(name)?.kind === 'local' ? 0 : 1);
    return [...peers].sort((a, b) => rank(a) - rank(b));
  }

  /** Asks those that are silent whether they are back, each after its pause. Nobody waits for that. */
  #askAgain({ cid, peers }: ReplicaPlace): void {
    for (const name of peers) {
      const peer = this.options.peers.get(name);
      if (peer === undefined || !this.#failures.isSilent(name) || this.#failures.silenceOf(name) !== undefined) continue;
      peer.has(cid).then(
        () => this.#failures.answered(name),
        (error: unknown) => this.#failures.noteSilence(name, ioError(error, `asking for shard ${cid}`, name)),
      );
    }
  }

  async #ask(name: string, place: ReplicaPlace, digest: Uint8Array): Promise<Uint8Array> {
    const { cid } = place;
    const block = blockText(digest);
    const failure = this.#failures.of(name, cid) ?? this.#failures.of(name, block) ?? this.#failures.silenceOf(name);
    if (failure !== undefined) throw failure;
    const peer = this.options.peers.get(name);
    if (peer === undefined) throw new ShardctlError('TOO_FEW_PEERS', `peer "${name}" is not configured`);
    try {
      const bytes = await this.#readOn(peer, cid, digest);
      this.#failures.answered(name);
      return bytes;
    } catch (error) {
      const cause = isDamage(error) ? await this.#goneOr(error, peer, cid) : error;
      if (cause instanceof ShardctlError) this.#note(name, cause.code === 'NOT_FOUND' ? cid : block, cause);
      throw cause;
    }
  }

  async #readOn(peer: Peer, cid: string, digest: Uint8Array): Promise<Uint8Array> {
    const car = peer.carPath === undefined ? undefined : await this.cars.open(cid, peer);
    const found = car === undefined ? await this.#aloneFrom(peer, cid, digest) : await this.#fromCar(car, digest);
    if (found !== undefined) return found;
    if (car !== undefined) {
      // What is open may be a file that `repair` has replaced by a good one.
      this.cars.leave(car);
      await this.#readers.leave(peer.name, cid);
    }
    // Readers give blocks alone; a node of the manifest follows from these.
    const bytes = await this.#readers.use(
      peer.name,
      cid,
      async (reader) => (await reader.read(digest)) ?? (await CarLayout.of(cid, reader.contents())).node(digest),
    );
    if (bytes === undefined) throw new ShardctlError('DAMAGE', `shard ${cid} does not hold block ${blockText(digest)}`);
    // It is there, and not where the offsets say.
    if (car !== undefined) this.offsets.drop(cid);
    return bytes;
  }

  async #fromCar(car: OpenCar, digest: Uint8Array): Promise<Uint8Array | undefined> {
    for (let skip = 0; ; skip++) {
      const offset = this.#offsetIn(car, digest, skip);
      if (offset === undefined) return undefined;
      const bytes = await this.#bytesIn(car, offset);
      if (hashesTo(bytes, digest)) return bytes;
    }
  }

  #offsetIn(car: OpenCar, digest: Uint8Array, skip: number): Offset | undefined {
    try {
      return car.find(digest, skip);
    } catch {
      // The manifest tells, and the file of offsets is made again.
      return undefined;
    }
  }

  async #bytesIn(car: OpenCar, offset: Offset): Promise<Uint8Array> {
    try {
      return offset.length <= AT_ONCE_BYTES ? car.bytesAt(offset) : await car.bytesSoon(offset);
    } catch (error) {
      throw ioError(error, `reading shard ${car.cid}`, car.path);
    }
  }

  /** From a daemon that gives single blocks, unless the shard is open, or so much of it is read that it should be. */
  async #aloneFrom(peer: Peer, cid: string, digest: Uint8Array): Promise<Uint8Array | undefined> {
    if (peer.block === undefined || this.#readers.has(peer.name, cid)) return undefined;
    // Each of its blocks is a file, however they are asked for.
    if (peer.kind === 'local') return await peer.block(digest);
    const key = `${peer.name} ${cid}`;
    const count = (this.#alone.get(key) ?? 0) + 1;
    this.#alone.delete(key);
    if (count > MOST_ALONE) return undefined;
    this.#alone.set(key, count);
    if (this.#alone.size > MOST_COUNTED) this.#alone.delete(this.#alone.keys().next().value ?? '');
    return await peer.block(digest);
  }

  /** What is damaged may be gone: another run has removed the shard from the peer. */
  async #goneOr(error: ShardctlError, peer: Peer, cid: string): Promise<ShardctlError> {
    try {
      if (await peer.has(cid)) return error;
    } catch {
      return error;
    }
    await this.#readers.leave(peer.name, cid);
    return new ShardctlError('NOT_FOUND', `shard ${cid} is not on peer "${peer.name}" any more`, { cause: error });
  }

  /** @param what a shard, or a block of it; undefined when only silence is to be remembered */
  #note(peer: string, what: string | undefined, error: ShardctlError): void {
    if (error.code === 'TOO_FEW_PEERS') {
      this.#failures.noteSilence(peer, error);
      return;
    }
    if (error.code !== 'IO') this.#failures.answered(peer);
    if (what !== undefined && !isShortage(error)) this.#failures.note(peer, what, error);
  }

  #report(peer: string, place: ReplicaPlace, error: ShardctlError): void {
    if (error.code === 'NOT_FOUND' && place.isStillOn?.(peer) === false) return;
    this.#tell(error.code === 'TOO_FEW_PEERS' ? peer : `${peer} ${error.message}`, troubleOf(peer, error), error.message, peer);
  }

  #tell(key: string, message: string, cause: string, peer: string): void {
    if (this.#failures.isNews(key)) this.options.onTrouble?.(message, cause, peer);
  }
}
