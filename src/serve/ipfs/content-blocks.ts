/** The blocks that one request may see, by CIDs of any kind. An inline block is carried by its CID; under other hashes than sha2-256 there is none here. */
import { DIGEST_BYTES } from '../../core/model.ts';
import { SHA2_256, textOfCid } from '../../dag/cid.ts';
import { type AnyCid, inlineBytes } from '../../dag/foreign-cid.ts';
import { UnlistedBlock } from '../../read/blocks/block-source.ts';
import type { FileBlocks } from '../../read/files/file-leaves.ts';
import { seenBlocks } from '../access/seen-blocks.ts';
import { KnownNode, KnownNodes } from './known-nodes.ts';

/** The home has no such block, or does not show it to this client. */
export class NotHere extends Error {}

export interface ContentBlocksOptions {
  readonly blocks: FileBlocks;
  /** Whether the client may see a block. It is asked before the block is looked for: what is hidden takes as long as what is not there. */
  readonly sees: (digest: Uint8Array) => boolean;
  /** What other requests have read. */
  readonly nodes?: KnownNodes;
}

export class ContentBlocks {
  readonly #options: ContentBlocksOptions;
  readonly #nodes: KnownNodes;
  /**
   * The same blocks by their digests, for the bytes of files. Each leaf is asked for, too: the node of a file may be inline, which anybody
   * can make up.
   */
  readonly ofFiles: FileBlocks;

  constructor(options: ContentBlocksOptions) {
    this.#options = options;
    const { blocks, sees, nodes = new KnownNodes() } = options;
    this.#nodes = nodes;
    this.ofFiles = seenBlocks(blocks, sees);
  }

  /** @throws NotHere; ShardctlError `DAMAGE` or `TOO_FEW_PEERS` when the block is known and no peer gives it intact */
  async read(cid: AnyCid): Promise<Uint8Array> {
    const inline = inlineBytes(cid);
    if (inline !== undefined) return inline;
    if (!this.mayBeHere(cid)) throw notHere(cid);
    try {
      return await this.#options.blocks.read(cid.digest);
    } catch (error) {
      throw error instanceof UnlistedBlock ? notHere(cid) : error;
    }
  }

  /** As `read`, of a dag-pb block, which is not read again where it is known and lies where it can be read at once. */
  async node(cid: AnyCid): Promise<KnownNode> {
    const inline = inlineBytes(cid);
    if (inline !== undefined) return new KnownNode(inline);
    const { digest } = cid;
    const known = this.mayBeHere(cid) && this.#options.blocks.extentNow(digest) !== undefined ? this.#nodes.get(digest) : undefined;
    return known ?? this.#nodes.put(digest, await this.read(cid));
  }

  /** Bytes of the block, which is not read where that can be known without. @throws as `read` does */
  async sizeOf(cid: AnyCid): Promise<number> {
    const inline = inlineBytes(cid);
    const size = inline?.length ?? (this.mayBeHere(cid) ? await this.#options.blocks.sizeOf(cid.digest) : undefined);
    if (size === undefined) throw notHere(cid);
    return size;
  }

  /** Whether the home can have such a block, and shows it to the client if it has. */
  mayBeHere({ hash, digest }: AnyCid): boolean {
    return hash === SHA2_256 && digest.length === DIGEST_BYTES && this.#options.sees(digest);
  }
}

function notHere(cid: AnyCid): NotHere {
  return new NotHere(`block was not found here: could not find ${textOfCid(cid.bytes)}`);
}
