/** The blocks that one request may see, by CIDs of any kind. An inline block is carried by its CID; under other hashes than sha2-256 there is none here. */
import { DIGEST_BYTES } from '../../core/model.ts';
import { SHA2_256, textOfCid } from '../../dag/cid.ts';
import { type AnyCid, inlineBytes } from '../../dag/foreign-cid.ts';
import { type Blocks, UnlistedBlock } from '../../read/blocks/block-source.ts';

/** The home has no such block, or shows it not to this client. */
export class NotHere extends Error {}

export class ContentBlocks {
  readonly #blocks: Blocks;

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
  }

  /** @throws NotHere; ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when the block is known and no peer gives it intact */
  async read(cid: AnyCid): Promise<Uint8Array> {
    const inline = inlineBytes(cid);
    if (inline !== undefined) return inline;
    if (cid.hash !== SHA2_256 || cid.digest.length !== DIGEST_BYTES) throw notHere(cid);
    try {
      return await this.#blocks.read(cid.digest);
    } catch (error) {
      throw error instanceof UnlistedBlock ? notHere(cid) : error;
    }
  }
}

function notHere(cid: AnyCid): NotHere {
  return new NotHere(`block was not found here: could not find ${textOfCid(cid.bytes)}`);
}
