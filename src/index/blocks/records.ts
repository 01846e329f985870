/** The records of the block table: 20 bytes of a block's digest, u32 number of a shard that holds it. */
import { DIGEST_BYTES, MAX_SHARD_BLOCKS } from '../../core/model.ts';

/** Of a digest. 160 bits tell blocks apart: to find two with the same 160 bits takes 2^80 hashes. */
export const PREFIX_BYTES = 20;
export const RECORD_BYTES = PREFIX_BYTES + 4;

/** Bits of a digest that fit into a double beside a position in a shard. */
const KEY_BITS = 53 - Math.log2(MAX_SHARD_BLOCKS);

/**
 * Records of a shard's blocks, sorted by digest. Sorting numbers natively is ten times faster than sorting with a comparison in JS: a
 * number holds the first 29 bits of a digest and its position. The few digests that agree in these bits are put in order afterwards.
 * @param digests 32 bytes each, in any order
 */
export function sortedRecords(shard: number, digests: Buffer): Buffer {
  const count = digests.length / DIGEST_BYTES;
  if (count > MAX_SHARD_BLOCKS) throw new RangeError(`${count} blocks in one shard`);
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) keys[i] = (digests.readUInt32BE(i * DIGEST_BYTES) >>> (32 - KEY_BITS)) * MAX_SHARD_BLOCKS + i;
  keys.sort();
  const order = Uint32Array.from(keys, (key) => key % MAX_SHARD_BLOCKS);
  for (let i = 1; i < count; i++) {
    for (let j = i; j > 0 && comparePrefixes(digests, at(order, j - 1), digests, at(order, j)) > 0; j--) {
      const [before, it] = order.subarray(j - 1, j + 1);
      if (before === undefined || it === undefined) throw new RangeError(`no block ${j} of ${count}`);
      order[j - 1] = it;
      order[j] = before;
    }
  }
  const records = Buffer.alloc(count * RECORD_BYTES);
  for (let i = 0; i < count; i++) {
    digests.copy(records, i * RECORD_BYTES, at(order, i), at(order, i) + PREFIX_BYTES);
    records.writeUInt32LE(shard, i * RECORD_BYTES + PREFIX_BYTES);
  }
  return records;
}

/** Where the digest that is `i`th in order stands. */
function at(order: Uint32Array, i: number): number {
  return (order[i] as number) * DIGEST_BYTES;
}

/** The shard of the record at `at`. */
export function shardAt(records: Buffer, at: number): number {
  return records.readUInt32LE(at + PREFIX_BYTES);
}

export function comparePrefixes(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): number {
  for (let i = 0; i < PREFIX_BYTES; i++) {
    const difference = (a[aAt + i] as number) - (b[bAt + i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
