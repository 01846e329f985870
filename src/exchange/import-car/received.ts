/** Takes in the blocks of a CAR: hashes each, remembers its length, and gathers blocks into batches. */

import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import { DAG_PB, DIGEST_BYTES } from '../../core/model.ts';
import { cidText, sameDigest } from '../../dag/cid.ts';
import { BatchBuilder } from '../../shard/batch.ts';
import type { CarBlock, TreeCar } from '../tree-car/tree-car.ts';
import { inlineIn } from './inline.ts';

/** Blocks are gathered into batches of this size. */
const BATCH_BYTES = 256 * 1024;

/** Holds a batch, and 46 to 92 bytes a block. */
export class Received {
  readonly #car: TreeCar;
  readonly #name: string;
  readonly #builder = new BatchBuilder();
  /** Digest → bytes of the block. */
  readonly #lengths = new DigestMap();
  /** Bytes of all blocks, each block counted once. */
  bytes = 0;

  /** @param name what the CAR is called in messages */
  constructor(car: TreeCar, name: string) {
    this.#car = car;
    this.#name = name;
  }

  /** Number of blocks, each counted once. */
  get blocks(): number {
    return this.#lengths.size;
  }

  /** Bytes of a block; undefined when the CAR did not bring it. */
  readonly lengthOf = (digest: Uint8Array): number | undefined => this.#lengths.get(digest);

  /** How many blocks came that are not among `needed`. */
  countBeside(needed: DigestMap): number {
    const digests = this.#lengths.digests();
    let count = 0;
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) if (needed.get(digests, at) === undefined) count++;
    return count;
  }

  /**
   * Batches of whole blocks, the inline ones among them: a link to an inline block is read as a link to the block of these bytes
   * under their sha2-256, so that whoever reads, moves or counts blocks need not know of inline blocks.
   * @throws ShardctlError `DAMAGE` when bytes are not those of their CID
   */
  async *batches(): AsyncGenerator<Buffer> {
    const { root } = this.#car;
    if (root.inline !== undefined) this.#take({ ...root, bytes: Buffer.from(root.inline) });
    for await (const block of this.#car.blocks()) {
      this.#take(block);
      if (this.#builder.length >= BATCH_BYTES) yield this.#builder.take();
    }
    yield this.#builder.take();
  }

  #take({ bytes, ...id }: CarBlock): void {
    if (!sameDigest(this.#add(bytes), id.digest))
      throw new ShardctlError('DAMAGE', `${this.#name} holds bytes that are not those of ${cidText(id, 1)}`);
    if (id.codec === DAG_PB) for (const inline of inlineIn(bytes)) this.#add(Buffer.from(inline));
  }

  #add(bytes: Buffer): Uint8Array {
    const digest = this.#builder.add(bytes);
    if (this.#lengths.add(digest, 0, bytes.length)) this.bytes += bytes.length;
    return digest;
  }
}
