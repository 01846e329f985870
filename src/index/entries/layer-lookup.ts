/** Single directories of one hot part, found by their paths in its list of blocks: one block is read for each. */
import type { ByteString } from '../../core/model.ts';
import { keyOf } from '../../core/path-bytes.ts';
import { blocksOf, type HotBlock } from './block-list.ts';
import { type EntriesRecord, pathAt, recordAt } from './hot-file.ts';
import type { EntriesReader } from './reader.ts';

export class LayerLookup {
  readonly entries: EntriesReader;
  readonly blocks: readonly HotBlock[];
  readonly #keys: readonly string[];
  /** The block that was read last: neighbours are asked for one after the other. */
  #read: { readonly block: number; readonly payload: Buffer } | undefined;

  /** @param list path of the list of blocks, see `block-list.ts` */
  constructor(entries: EntriesReader, list: string) {
    this.entries = entries;
    this.blocks = blocksOf(list, entries.hot);
    this.#keys = this.blocks.map(({ path }) => keyOf(path));
  }

  /** The record of a directory, a copy; undefined when there is no such directory. */
  find(path: ByteString): EntriesRecord | undefined {
    const [first] = this.#from(path);
    return first?.path === path ? first : undefined;
  }

  /** The records of a directory and of all below it, in walk order. */
  *subtree(path: ByteString): Generator<EntriesRecord, void, void> {
    const key = keyOf(path);
    for (const record of this.#from(path)) {
      if (!keyOf(record.path).startsWith(key)) return;
      yield record;
    }
  }

  /** The records from that of a directory on, or from the one that would come after it. */
  *#from(path: ByteString): Generator<EntriesRecord, void, void> {
    const { hot } = this.entries;
    const key = keyOf(path);
    const first = Math.max(0, this.#blockOf(key));
    let memory = new ArrayBuffer(0);
    for (let block = first; block < this.blocks.length; block++) {
      let payload: Buffer;
      if (block === first) payload = this.#payload(block);
      else ({ payload, memory } = hot.block((this.blocks[block] as HotBlock).offset, memory));
      let ordinal = (this.blocks[block] as HotBlock).ordinal;
      for (let at = 0; at < payload.length; at = hot.endOf(payload, at), ordinal++) {
        if (keyOf(pathAt(payload, at)) < key) continue;
        yield recordAt(recordAt(payload, at, ordinal).own().bytes, 0, ordinal);
      }
    }
  }

  /** The last block whose first directory does not come after this key. */
  #blockOf(key: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as string) <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #payload(block: number): Buffer {
    if (this.#read?.block !== block) {
      const { payload } = this.entries.hot.block((this.blocks[block] as HotBlock).offset, new ArrayBuffer(0));
      this.#read = { block, payload };
    }
    return this.#read.payload;
  }
}
