/**
 * Whether all packings of one index unpack to the same text. The judges read one of them, and apt takes the one that it likes best: what is
 * proved of the one holds for the others only where they say the same.
 */
import { createHash } from 'node:crypto';
import type { ByteString } from '../../core/model.ts';
import { type Claim, NoUnpacker } from '../claims/claim.ts';
import type { Comparison } from '../claims/comparison.ts';
import { packingOf, unpacked } from '../text/unpacked.ts';

/** A packing that is there. */
export type Packing = Claim & { readonly path: ByteString };

/** Hash of a text that is taken as others read the text. */
export class TextHash {
  isBegun = false;
  /** Bytes so far. */
  length = 0;
  /** There once the text was read to its end. */
  hex: string | undefined;

  async *of(text: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    this.isBegun = true;
    this.length = 0;
    for await (const part of text) {
      this.length += part.length;
      hash.update(part);
      yield part;
    }
    this.hex = hash.digest('hex');
  }
}

/** Whether some packing differs from that of the passed tree. If none does, they were compared when that was passed, and none is unpacked for it again. */
export async function haveChanged(comparison: Comparison, packings: readonly Packing[]): Promise<boolean> {
  for (const { path } of packings) if (!(await comparison.isSame(path))) return true;
  return false;
}

/** @param text of the packing that was judged, as far as that was read */
export async function comparePackings(comparison: Comparison, judged: Packing, text: TextHash, others: readonly Packing[]): Promise<void> {
  const asked = others.filter((other) => comparison.isAsked(other));
  if (asked.length === 0) return;
  if (!text.isBegun) await comparison.reading('debian', judged.path, async () => await readThrough(comparison, judged, text));
  // It could not be read to its end, which is a contradiction already.
  if (text.hex === undefined) return;
  for (const other of asked) {
    await comparison.reading('debian', other.path, async () => {
      if (!(await isLike(comparison, other, text)))
        comparison.findings.contradict({
          kind: 'debian',
          what: 'hash',
          index: judged.path,
          path: other.path,
          detail: 'unpacks to another text than this index',
        });
    });
  }
}

async function isLike(comparison: Comparison, packing: Packing, text: TextHash): Promise<boolean> {
  const its = new TextHash();
  try {
    await readThrough(comparison, packing, its, text.length);
  } catch (error) {
    // Nobody on this machine can tell.
    if (error instanceof NoUnpacker) return true;
    throw error;
  }
  return its.hex === text.hex;
}

/** @param most bytes: what is longer is not read to its end */
async function readThrough(
  { tree, signal }: Comparison,
  { path, named }: Packing,
  into: TextHash,
  most = Number.POSITIVE_INFINITY,
): Promise<void> {
  const entry = await tree.entry(path);
  if (entry === undefined) return;
  for await (const _ of into.of(unpacked(packingOf(named), tree.bytes(entry), signal))) {
    signal.throwIfAborted();
    if (into.length > most) return;
  }
}
