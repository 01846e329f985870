/**
 * A whole shard as its CAR, for whoever gets it from here in one stream. Each block is hashed before it is given out. A block that is
 * damaged in a file on this machine is replaced by that of another replica: it has the same length, and stands in the same place.
 *
 * Where the CAR is a file on this machine it is read in windows of whole sections; elsewhere block by block, which the reader of a
 * remote shard asks for ahead. Holds a window of 1 MiB (or one large block), and shares what the CAR looks like.
 */
import { ShardctlError } from '../../core/errors.ts';
import type { PlacedShard } from '../../core/model.ts';
import { blockText, sha256 } from '../../dag/cid.ts';
import { CAR_HEADER_BYTES } from '../../shard/car.ts';
import type { CarLayout } from './car-layout.ts';
import type { OpenCar } from './open-car.ts';
import type { ReplicaPlace, Replicas } from './replicas.ts';

/** To hash one takes a millisecond or two, in which nobody else is answered. */
const WINDOW_BYTES = 1024 * 1024;

/** A shard as one CARv1, byte for byte as it was sealed. */
export class ShardCar {
  readonly carBytes: number;
  readonly #replicas: Replicas;
  readonly #place: ReplicaPlace;

  constructor(replicas: Replicas, place: ReplicaPlace, { carBytes }: PlacedShard) {
    this.carBytes = carBytes;
    this.#replicas = replicas;
    this.#place = place;
  }

  /**
   * The bytes from `from` on and before `to`, in pieces of about a mebibyte, which are the caller's to keep.
   * @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when a block cannot be had intact from any peer
   */
  async *stream(from = 0, to = this.carBytes): AsyncGenerator<Buffer> {
    const layout = await this.#replicas.layoutOf(this.#place);
    if (layout.carBytes !== this.carBytes) {
      throw new ShardctlError('DAMAGE', `the CAR of shard ${this.#place.cid} has ${layout.carBytes} bytes, not ${this.carBytes}`);
    }
    if (from < CAR_HEADER_BYTES && from < to) yield layout.header.subarray(from, to);
    const car = await this.#replicas.carOf(this.#place);
    car?.hold();
    try {
      for (let section = layout.sectionAt(from); section < layout.sections && layout.startOf(section) < to; ) {
        const next = endOfWindow(layout, section);
        const start = layout.startOf(section);
        const window = await this.#window(layout, car, section, next);
        const piece = window.subarray(Math.max(0, from - start), Math.max(0, to - start));
        if (piece.length > 0) yield piece;
        section = next;
      }
    } finally {
      car?.release();
    }
  }

  /** The sections from `first` on and before `end`, each as it must be. */
  async #window(layout: CarLayout, car: OpenCar | undefined, first: number, end: number): Promise<Buffer> {
    const start = layout.startOf(first);
    const window = Buffer.allocUnsafe(layout.startOf(end) - start);
    // What is not read because the file ends before, or cannot be read there, is what happened to be in memory: it has another hash.
    if (car !== undefined) await car.fill(window, start).catch(() => {});
    for (let section = first; section < end; section++) {
      const at = layout.writeHead(window, layout.startOf(section) - start, section);
      const place = window.subarray(at, at + layout.lengthOf(section));
      const node = layout.nodeIn(section);
      if (node !== undefined) place.set(node.block);
      else if (car === undefined || Buffer.compare(sha256(place), layout.digestOf(section)) !== 0)
        await this.#put(layout.digestOf(section), place);
    }
    return window;
  }

  async #put(digest: Uint8Array, place: Buffer): Promise<void> {
    const block = await this.#replicas.need(this.#place, digest);
    if (block.length !== place.length) {
      throw new ShardctlError('DAMAGE', `block ${blockText(digest)} has ${block.length} bytes, and ${place.length} by its shard`);
    }
    place.set(block);
  }
}

/** Sections that together fit into a window, at least one. */
function endOfWindow(layout: CarLayout, first: number): number {
  const last = layout.sectionAt(layout.startOf(first) + WINDOW_BYTES);
  return Math.min(layout.sections, Math.max(first + 1, last));
}
