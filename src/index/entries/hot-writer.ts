/** Writes the hot part of the entries: records gathered into blocks, or blocks of another file as they are. */
import { crc32 } from 'node:zlib';
import type { ByteString } from '../../core/model.ts';
import { Appender } from '../files/appender.ts';
import type { HotBlock } from './block-list.ts';
import { BLOCK_HEADER_BYTES, type EntriesHeader, encodeHeader, HOT_BLOCK_BYTES, pad8 } from './format.ts';

export class HotWriter {
  readonly #file: Appender;
  readonly #blocks: HotBlock[] = [];
  /** The block that is being filled, after room for its header. */
  #block = new ArrayBuffer(2 * HOT_BLOCK_BYTES);
  #blockEnd = BLOCK_HEADER_BYTES;
  #records = 0;

  constructor(path: string, header: EntriesHeader) {
    this.#file = new Appender(path);
    this.#file.append(encodeHeader('hot', header));
  }

  /** Records so far: the position in walk order of the next one. */
  get records(): number {
    return this.#records;
  }

  get blocks(): readonly HotBlock[] {
    return this.#blocks;
  }

  /**
   * Makes room for the record of a directory, which the caller writes before anything else.
   * @returns the block and where in it the record begins, valid until the next call
   */
  reserve(bytes: number, path: () => ByteString): { readonly block: ArrayBuffer; readonly at: number } {
    if (this.#blockEnd >= HOT_BLOCK_BYTES) this.#flush();
    if (this.#blockEnd === BLOCK_HEADER_BYTES) this.#blocks.push({ offset: this.#file.position, ordinal: this.#records, path: path() });
    const at = this.#blockEnd;
    if (at + bytes > this.#block.byteLength) this.#block = grown(this.#block, at + bytes);
    this.#blockEnd += bytes;
    this.#records++;
    return { block: this.#block, at };
  }

  /** Ends the block that is being filled, and appends whole blocks of another file. @param records in them */
  appendBlocks(blocks: readonly HotBlock[], records: number, pieces: Iterable<Buffer>): void {
    this.#flush();
    const [first] = blocks;
    if (first === undefined) return;
    const shift = this.#file.position - first.offset;
    for (const { offset, ordinal, path } of blocks)
      this.#blocks.push({ offset: offset + shift, ordinal: this.#records + ordinal - first.ordinal, path });
    for (const piece of pieces) this.#file.append(piece);
    this.#records += records;
  }

  finish(isDurable = true): void {
    this.#flush();
    this.#file.finish(isDurable);
  }

  abandon(): void {
    this.#file.abandon();
  }

  #flush(): void {
    if (this.#blockEnd === BLOCK_HEADER_BYTES) return;
    const block = Buffer.from(this.#block, 0, this.#blockEnd);
    const payload = block.subarray(BLOCK_HEADER_BYTES);
    block.writeUInt32LE(payload.length, 0);
    block.writeUInt32LE(crc32(payload), 4);
    this.#file.append(block);
    this.#blockEnd = BLOCK_HEADER_BYTES;
  }
}

function grown(memory: ArrayBuffer, bytes: number): ArrayBuffer {
  const larger = new ArrayBuffer(pad8(bytes * 2));
  new Uint8Array(larger).set(new Uint8Array(memory));
  return larger;
}
