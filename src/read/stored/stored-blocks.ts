/**
 * Every block that a home knows of, as one view of its index has them: those that its shards list, the nodes of the shards' own files
 * (manifests), and what is in the catalogues of its snapshots.
 *
 * Measured with 40,501 blocks in 501 shards on a local peer, medians (two cores that others used, too): the place of a block 3.9 µs,
 * of which all but the extent, 0.4 µs, is the index; a file of 26 kB 28 µs, of which 15 µs are its hash; the same where the CAR is not
 * open yet 84 µs, and where its offsets have to be made first, 1.7 ms (110 to 340 ms for 65,536 blocks, in turns of 5 ms). That a block
 * is unknown takes 1.2 µs, after 22 ms once for the look through all roots.
 */
import { ShardctlError } from '../../core/errors.ts';
import type { PlacedShard, ShardRecord } from '../../core/model.ts';
import { blockText, hashesTo } from '../../dag/cid.ts';
import type { Index } from '../../index/index.ts';
import { type BlockPlace, type Blocks, UnlistedBlock, unreadable } from '../blocks/block-source.ts';
import { type Holding, Holdings } from './holdings.ts';
import type { OpenFile } from './open-car.ts';
import { AT_ONCE_BYTES, type Failure, type ReplicaPlace, type Replicas } from './replicas.ts';
import { ShardCar } from './shard-car.ts';

export type { OpenFile } from './open-car.ts';
export type { ShardCar } from './shard-car.ts';

/** Records of shards that are kept decoded. */
const MOST_PLACES = 8192;

/**
 * Where a block's bytes lie in a file on this machine. Nobody has hashed them: if their hash is another, `StoredBlocks.read` gives the
 * block from wherever it is intact. The file stays open to the end of this turn of the event loop, and longer for whoever holds it.
 */
export interface Extent {
  readonly file: OpenFile;
  readonly at: number;
  readonly length: number;
}

/** The shard that has a block, and its peers. */
export interface StoredPlace extends BlockPlace {
  /** Number of the shard; undefined when it is a catalogue. */
  readonly shard?: number | undefined;
}

/** A block whose shard was removed, by a run that has put the block elsewhere or has dropped it: the index has to be opened again to see where. */
export class MovedBlock extends ShardctlError {
  constructor(what: string, cause?: unknown) {
    super('NOT_FOUND', `${what} was removed or moved meanwhile`, { retryable: true, cause });
  }
}

export interface StoredBlocksOptions {
  readonly index: Index;
  readonly replicas: Replicas;
}

export class StoredBlocks implements Blocks {
  readonly #index: Index;
  readonly #replicas: Replicas;
  readonly #holdings: Holdings;
  readonly #places = new Map<number, Place>();
  readonly #now: NowOf;

  constructor({ index, replicas }: StoredBlocksOptions) {
    this.#index = index;
    this.#replicas = replicas;
    this.#holdings = new Holdings(index, replicas);
    this.#now = { recordOf: (number) => index.currentShard(number) };
  }

  /**
   * The block, hashed. Throws `UnlistedBlock` when the home does not know it, `MovedBlock` when the index is not up to date any more,
   * `DAMAGE` or `TOO_FEW_PEERS` when no peer gives the block intact.
   */
  async read(digest: Uint8Array): Promise<Uint8Array> {
    return this.readNow(digest) ?? (await this.#readFrom(digest));
  }

  /** As `read`, at once: undefined also when something must be opened or asked first, or the block is large. */
  readNow(digest: Uint8Array): Uint8Array | undefined {
    const extent = this.extentNow(digest);
    if (extent === undefined || extent.length > AT_ONCE_BYTES) return undefined;
    try {
      const bytes = extent.file.bytesAt(extent);
      return hashesTo(bytes, digest) ? bytes : undefined;
    } catch {
      // Whoever reads it by other means then says what is wrong.
      return undefined;
    }
  }

  /** Undefined when the home does not know the block. Reads no block. */
  async placeOf(digest: Uint8Array): Promise<StoredPlace | undefined> {
    return this.#listed(digest) ?? this.#placeIn(await this.#holdings.find(digest)) ?? this.#damaged(digest);
  }

  /** Bytes of the block; undefined when the home does not know it. */
  async sizeOf(digest: Uint8Array): Promise<number | undefined> {
    const extent = this.extentNow(digest) ?? (await this.extentOf(digest));
    if (extent !== undefined) return extent.length;
    try {
      return (await this.read(digest)).length;
    } catch (error) {
      if (error instanceof UnlistedBlock) return undefined;
      throw error;
    }
  }

  /** Undefined when the block is on a remote peer, or in a layout of other files, or the home does not know it. */
  async extentOf(digest: Uint8Array): Promise<Extent | undefined> {
    const place = await this.placeOf(digest);
    if (place === undefined || (await this.#replicas.carOf(place)) === undefined) return undefined;
    return this.#extentIn(place.cid, digest);
  }

  /** As `extentOf`, at once: undefined also when something must be opened first. */
  extentNow(digest: Uint8Array): Extent | undefined {
    const place = this.#listed(digest) ?? this.#placeIn(this.#holdings.findNow(digest));
    return place === undefined ? undefined : this.#extentIn(place.cid, digest);
  }

  /** A whole shard or catalogue of this home by its CID, with everything in it; undefined when the home does not know it. */
  async carOf(cid: string): Promise<ShardCar | undefined> {
    const holding = await this.#holdings.byCid(cid);
    const shard = typeof holding === 'number' ? this.#index.shard(holding) : holding;
    const place = this.#placeIn(holding);
    return shard === undefined || place === undefined ? undefined : new ShardCar(this.#replicas, place, shard);
  }

  /** Lets go of what belongs to this index, which may be closed afterwards. The replicas stay open. */
  async close(): Promise<void> {
    this.#now.recordOf = undefined;
    this.#holdings.close();
    this.#places.clear();
  }

  /** A place by the block table. */
  #listed(digest: Uint8Array, except?: ReadonlySet<string>): Place | undefined {
    const isOther = except === undefined ? undefined : (number: number) => !except.has(this.#index.shard(number)?.cid ?? '');
    const number = this.#index.shardOf(digest, 0, isOther);
    return number === undefined ? undefined : this.#placeOf(number);
  }

  /** A shard with losses, which may have the block all the same. */
  #damaged(digest: Uint8Array, except?: ReadonlySet<string>): Place | undefined {
    const number = this.#index.damagedShardOf(digest, (shard) => except?.has(this.#index.shard(shard)?.cid ?? '') !== true);
    return number === undefined ? undefined : this.#placeOf(number);
  }

  #placeOf(number: number): Place | undefined {
    const known = this.#places.get(number);
    if (known !== undefined) return known;
    const record = this.#index.shard(number);
    if (record === undefined) return undefined;
    const place = new Place(record, number, this.#now);
    if (this.#places.size >= MOST_PLACES) this.#places.clear();
    this.#places.set(number, place);
    return place;
  }

  #placeIn(holding: Holding | undefined): Place | undefined {
    if (holding === undefined) return undefined;
    return typeof holding === 'number' ? this.#placeOf(holding) : new Place(holding, undefined, this.#now);
  }

  #extentIn(cid: string, digest: Uint8Array): Extent | undefined {
    const car = this.#replicas.cars.get(cid);
    if (car === undefined) return undefined;
    try {
      const offset = car.find(digest);
      return offset?.isOnly === true ? { file: car, at: offset.at, length: offset.length } : undefined;
    } catch {
      this.#replicas.cars.distrust(car);
      return undefined;
    }
  }

  async #readFrom(digest: Uint8Array): Promise<Uint8Array> {
    const tried = new Set<string>();
    const failures: Failure[] = [];
    let first: Place | undefined;
    let moved = false;
    for (;;) {
      const place = this.#listed(digest, tried) ?? (await this.#heldBy(digest, tried)) ?? this.#damaged(digest, tried);
      if (place === undefined || tried.has(place.cid)) break;
      first ??= place;
      tried.add(place.cid);
      const bytes = await this.#replicas.read(place, digest, failures);
      if (bytes !== undefined) return bytes;
      // Another run may have moved the shard to other peers since the index was opened.
      const current = place.current();
      moved ||= current === undefined || (place.shard === undefined && failures.some(({ error }) => error.code === 'NOT_FOUND'));
      const elsewhere = current?.peers.filter((peer) => !place.peers.includes(peer)) ?? [];
      const found = elsewhere.length === 0 ? undefined : await this.#replicas.read({ cid: place.cid, peers: elsewhere }, digest, failures);
      if (found !== undefined) return found;
    }
    if (first === undefined) throw new UnlistedBlock(digest);
    const error = unreadable(digest, first, failures);
    throw moved ? new MovedBlock(`block ${blockText(digest)} of shard ${first.cid}`, error) : error;
  }

  async #heldBy(digest: Uint8Array, tried: ReadonlySet<string>): Promise<Place | undefined> {
    const place = this.#placeIn(await this.#holdings.find(digest));
    return place === undefined || tried.has(place.cid) ? undefined : place;
  }
}

/** Looks at a record as it is now. Undefined when the view is closed: a slow peer may answer to a question that nobody has any more. */
interface NowOf {
  recordOf: ((number: number) => ShardRecord | undefined) | undefined;
}

/** A shard as this view knows it. */
class Place implements StoredPlace, ReplicaPlace {
  readonly cid: string;
  readonly peers: readonly string[];
  readonly shard: number | undefined;
  readonly #now: NowOf;

  constructor({ cid, peers }: PlacedShard, shard: number | undefined, now: NowOf) {
    this.cid = cid;
    this.peers = peers;
    this.shard = shard;
    this.#now = now;
  }

  /** As its record is now; undefined when another run has dropped it. */
  current(): Pick<PlacedShard, 'peers'> | undefined {
    if (this.shard === undefined || this.#now.recordOf === undefined) return this;
    const record = this.#now.recordOf(this.shard);
    return record === undefined || record.state === 'sealed' ? undefined : record;
  }

  isStillOn(peer: string): boolean {
    return this.current()?.peers.includes(peer) === true;
  }
}
