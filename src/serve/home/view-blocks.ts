/** The blocks of one view; what a later run has moved is read where it is now. */
import { MovedBlock, StoredBlocks, type StoredBlocksOptions } from '../../read/stored/stored-blocks.ts';

export interface ViewBlocksOptions extends StoredBlocksOptions {
  /** Reads with the blocks of a view that was opened after `older`. Throws `moved` when there is none. */
  readonly inNewer: (older: ViewBlocks, read: (newer: ViewBlocks) => Promise<Uint8Array>, moved: MovedBlock) => Promise<Uint8Array>;
}

export class ViewBlocks extends StoredBlocks {
  readonly #inNewer: ViewBlocksOptions['inNewer'];

  constructor(options: ViewBlocksOptions) {
    super(options);
    this.#inNewer = options.inNewer;
  }

  override async read(digest: Uint8Array): Promise<Uint8Array> {
    try {
      return await super.read(digest);
    } catch (error) {
      if (!(error instanceof MovedBlock)) throw error;
      return await this.#inNewer(this, async (newer) => await newer.readHere(digest), error);
    }
  }

  /** As this view has it, without a look at newer ones. */
  async readHere(digest: Uint8Array): Promise<Uint8Array> {
    return await super.read(digest);
  }
}
