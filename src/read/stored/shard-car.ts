/**
 * A whole shard as its CAR, for whoever gets it from here in one stream. Each block is hashed before it is given out, unless it is known
 * to be intact (`intact-places.ts`). A block that is
 * damaged in a file on this machine is replaced by that of another replica: it has the same length, and stands in the same place.
 *
 * Where the CAR is a file on this machine it is read in windows of whole sections; elsewhere block by block, which the reader of a
 * remote shard asks for ahead. Holds a window of 1 MiB (or one large block), and shares what the CAR looks like.
 */
import { ShardctlError } from '../../core/errors.ts';
import type { PlacedShard } from '../../core/model.ts';
import { blockText } from '../../dag/cid.ts';
import { CAR_HEADER_BYTES } from '../../shard/car.ts';
import type { CarLayout } from './car-layout.ts';
import type { OpenCar } from './open-car.ts';
import type { ReplicaPlace, Replicas } from './replicas.ts';
import { WINDOW_BYTES, windowBuffers } from './window-buffers.ts';

/** Whole sections, as they stand in the CAR. */
interface SectionWindow {
  readonly window: Buffer;
  readonly first: number;
  /** The section behind the last one. */
  readonly next: number;
}

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
   * The bytes from `from` on and before `to`, in pieces of about a mebibyte, each valid until the next one is asked for.
   * @param areCopied whether nothing of a piece is used after the generator was ended; otherwise who ends it early may still be sending it
   * @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when a block cannot be had intact from any peer
   */
  async *stream(from = 0, to = this.carBytes, areCopied = false): AsyncGenerator<Buffer> {
    const layout = await this.#layout();
    if (from < CAR_HEADER_BYTES && from < to) yield layout.header.subarray(from, to);
    const end = from < to ? Math.min(layout.sections, layout.sectionAt(to - 1) + 1) : 0;
    for await (const { window, first } of this.#windows(layout, layout.sectionAt(from), end, areCopied)) {
      const start = layout.startOf(first);
      const piece = window.subarray(Math.max(0, from - start), Math.max(0, to - start));
      if (piece.length > 0) yield piece;
    }
  }

  /** As `stream`, of the shard's UnixFS file: its blocks, one behind the other. It is read as the CAR is, without a look-up for each block. */
  async *file(from: number, to: number, areCopied = false): AsyncGenerator<Buffer> {
    const layout = await this.#layout();
    const end = from < to ? Math.min(layout.blocks, layout.blockAt(to - 1) + 1) : 0;
    for await (const { window, first, next } of this.#windows(layout, layout.blockAt(from), end, areCopied)) {
      const start = layout.fileStartOf(first);
      const piece = joined(window, layout, first, next).subarray(Math.max(0, from - start), to - start);
      if (piece.length > 0) yield piece;
    }
  }

  /** Keeps its file on this machine open, also when another run removes it. @returns lets go of it */
  hold(): () => Promise<void> {
    const held = this.#replicas.carOf(this.#place).then((car) => {
      car?.hold();
      return car;
    });
    // Whoever reads the shard is told what is wrong.
    const car = held.catch(() => undefined);
    return async () => (await car)?.release();
  }

  async #layout(): Promise<CarLayout> {
    const layout = await this.#replicas.layoutOf(this.#place);
    if (layout.carBytes !== this.carBytes) {
      throw new ShardctlError('DAMAGE', `the CAR of shard ${this.#place.cid} has ${layout.carBytes} bytes, not ${this.carBytes}`);
    }
    return layout;
  }

  /** The sections from `first` on and before `end`, each as it must be. A window is valid until the next one is asked for. */
  async *#windows(layout: CarLayout, first: number, end: number, areCopied: boolean): AsyncGenerator<SectionWindow, void, void> {
    const car = await this.#replicas.carOf(this.#place);
    car?.hold();
    try {
      for (let section = first; section < end; ) {
        const next = Math.min(end, endOfWindow(layout, section));
        const length = layout.startOf(next) - layout.startOf(section);
        const buffer = windowBuffers.take(length);
        let isFree = areCopied;
        try {
          const window = buffer.subarray(0, length);
          await this.#fill(window, layout, car, section, next);
          yield { window, first: section, next };
          isFree = true;
        } finally {
          if (isFree) windowBuffers.give(buffer);
        }
        section = next;
      }
    } finally {
      car?.release();
    }
  }

  /** Fills the window with the sections from `first` on and before `end`, each as it must be. */
  async #fill(window: Buffer, layout: CarLayout, car: OpenCar | undefined, first: number, end: number): Promise<void> {
    const start = layout.startOf(first);
    const filled = start + ((await car?.fill(window, start).catch(() => 0)) ?? 0);
    for (let section = first; section < end; section++) {
      const at = layout.writeHead(window, layout.startOf(section) - start, section);
      const place = window.subarray(at, at + layout.lengthOf(section));
      const node = layout.nodeIn(section);
      if (node !== undefined) place.set(node.block);
      else {
        const [begin, digest] = [start + at, layout.digestOf(section)];
        // The file may end before, or cannot be read there.
        const wasRead = car !== undefined && begin + place.length <= filled;
        if (!wasRead || !car.isIntact(begin, place, digest)) await this.#put(digest, place);
      }
    }
  }

  async #put(digest: Uint8Array, place: Buffer): Promise<void> {
    const block = await this.#replicas.need(this.#place, digest);
    if (block.length !== place.length) {
      throw new ShardctlError('DAMAGE', `block ${blockText(digest)} has ${block.length} bytes, and ${place.length} by its shard`);
    }
    place.set(block);
  }
}

/** Moves the blocks of a window together, over what stands between them. */
function joined(window: Buffer, layout: CarLayout, first: number, end: number): Buffer {
  const start = layout.startOf(first);
  let at = 0;
  for (let block = first; block < end; block++) {
    const length = layout.lengthOf(block);
    const to = layout.startOf(block + 1) - start;
    window.copyWithin(at, to - length, to);
    at += length;
  }
  return window.subarray(0, at);
}

/** Sections that together fit into a window, at least one. */
function endOfWindow(layout: CarLayout, first: number): number {
  const last = layout.sectionAt(layout.startOf(first) + WINDOW_BYTES);
  return Math.min(layout.sections, Math.max(first + 1, last));
}
