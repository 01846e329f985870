/** Digests that collide where random ones never do: many share their first bytes, any number of them, with many others. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { DIGEST_BYTES } from '../core/model.ts';

/** Bytes that are shared: around the limits of what is looked at at once, 4 bytes and 20. */
const SHARED = [1, 2, 3, 4, 5, 8, 16, 19, 20];
const GROUPS = 3;
const TAILS = 400;

/** All different in 32 bytes. Those that share 20 are one block to the block table. */
export const COLLIDING: readonly Buffer[] = SHARED.flatMap((shared) =>
  Array.from({ length: GROUPS }, (_, group) =>
    Array.from({ length: shared === 20 ? 4 : TAILS }, (__, tail) => {
      const digest = createHash('sha256').update(`${shared} ${group} ${tail}`).digest();
      return digest.fill(fillOf(group, shared), 0, shared);
    }),
  ).flat(),
);

/** Zeros, too, but not all that the table keeps: nobody finds a block whose digest begins with 160 of them. */
function fillOf(group: number, shared: number): number {
  return group === 0 && shared < 20 ? 0 : 0xff - group;
}

/** Some of them, told in few words: a counterexample should be readable. */
export interface Pick {
  readonly from: number;
  readonly count: number;
  readonly step: number;
}

/** Of one group often, or of all; few often, or enough for several pages of a run. */
export const someColliding: fc.Arbitrary<Pick> = fc.record({
  from: fc.nat(COLLIDING.length - 1),
  count: fc.oneof(fc.nat(20), fc.nat(1000)),
  step: fc.constantFrom(1, 1, 2, 7, 101),
});

/** One after the other, as a shard's digests come: in no order, none twice. */
export function digestsOf({ from, count, step }: Pick): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => COLLIDING[(from + i * step) % COLLIDING.length] as Buffer));
}

export function* eachDigest(digests: Buffer): Iterable<Buffer> {
  for (let at = 0; at < digests.length; at += DIGEST_BYTES) yield digests.subarray(at, at + DIGEST_BYTES);
}
