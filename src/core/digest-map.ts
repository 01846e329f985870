/**
 * A map from sha2-256 digests to numbers in flat arrays: 48 bytes a digest where it is full, 96 where it has just grown, and no objects
 * for the garbage collector to walk. It grows when a digest finds no room, not before: a full shard has a power of two of them. Digests
 * are uniformly distributed, so the first four bytes of one serve as its hash. Slots are probed one after the other; at most half of them
 * are taken.
 */
import { DIGEST_BYTES } from './model.ts';

/** Of a shard that is opened three maps are made: with 1024 slots, `verify` of a million CARs of a block took 127 s of processor time, now 89. */
const FIRST_SLOTS = 16;

export class DigestMap {
  /** Positions in `#digests` and `#values`; -1 where a slot is free. */
  #slots = new Int32Array(FIRST_SLOTS).fill(-1);
  #digests = Buffer.allocUnsafe((FIRST_SLOTS / 2) * DIGEST_BYTES);
  #values = new Float64Array(FIRST_SLOTS / 2);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The value of the digest that stands at `at` in `bytes`, or undefined. */
  get(bytes: Uint8Array, at = 0): number | undefined {
    const entry = this.#entryIn(this.#slotOf(bytes, at));
    return entry < 0 ? undefined : (this.#values[entry] as number);
  }

  /** Adds the digest that stands at `at` in `bytes`; false (and no change) when it is already here. */
  add(bytes: Uint8Array, at: number, value: number): boolean {
    let slot = this.#slotOf(bytes, at);
    if (this.#entryIn(slot) >= 0) return false;
    if (this.#size === this.#values.length) {
      this.#resize(this.#slots.length * 2);
      slot = this.#slotOf(bytes, at);
    }
    this.#slots[slot] = this.#size;
    // A view of these bytes to copy from would take longer than to copy them.
    const digests = this.#digests;
    for (let i = 0, j = this.#size * DIGEST_BYTES; i < DIGEST_BYTES; i++, j++) digests[j] = bytes[at + i] as number;
    this.#values[this.#size++] = value;
    return true;
  }

  /** Makes room for so many digests in all, so that the map need not grow while they come. */
  reserve(digests: number): void {
    let slots = this.#slots.length;
    while (slots / 2 < digests) slots *= 2;
    if (slots > this.#slots.length) this.#resize(slots);
  }

  /** Sets the value of the digest that stands at `at` in `bytes`, and adds the digest if it is not here yet. */
  set(bytes: Uint8Array, at: number, value: number): void {
    const entry = this.#entryIn(this.#slotOf(bytes, at));
    if (entry < 0) this.add(bytes, at, value);
    else this.#values[entry] = value;
  }

  /** Digests in the order in which they were added, 32 bytes each, back to back. A view: valid until the next `add`. */
  digests(): Buffer {
    return this.#digests.subarray(0, this.#size * DIGEST_BYTES);
  }

  /** Values in the order in which their digests were added. A view, as `digests`. */
  values(): Float64Array {
    return this.#values.subarray(0, this.#size);
  }

  /** Position of the entry in a slot, or -1. Never undefined: `#slotOf` masks each slot to the length of the table. */
  #entryIn(slot: number): number {
    return this.#slots[slot] as number;
  }

  /** The slot of the digest that stands at `at` in `bytes`, or the free slot where it belongs. */
  #slotOf(bytes: Uint8Array, at: number): number {
    const mask = this.#slots.length - 1;
    let slot =
      (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) &
      mask;
    for (;;) {
      const entry = this.#entryIn(slot);
      if (entry < 0 || this.#holds(entry, bytes, at)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #holds(entry: number, bytes: Uint8Array, at: number): boolean {
    const digests = this.#digests;
    for (let i = 0, j = entry * DIGEST_BYTES; i < DIGEST_BYTES; i++, j++) {
      if (digests[j] !== bytes[at + i]) return false;
    }
    return true;
  }

  #resize(slots: number): void {
    const digests = Buffer.allocUnsafe((slots / 2) * DIGEST_BYTES);
    this.#digests.copy(digests, 0, 0, this.#size * DIGEST_BYTES);
    const values = new Float64Array(slots / 2);
    values.set(this.#values);
    this.#digests = digests;
    this.#values = values;
    this.#slots = new Int32Array(slots).fill(-1);
    for (let entry = 0; entry < this.#size; entry++) this.#slots[this.#slotOf(digests, entry * DIGEST_BYTES)] = entry;
  }
}
