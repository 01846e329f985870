/** Reads the entries of a snapshot: the hot part front to back, the cold part of a directory when it is asked for. */
import type { ByteString } from '../../core/model.ts';
import { ColdFile, type ColdRecord } from './cold-file.ts';
import { damagedEntries, type EntriesHeader, HEADER_BYTES } from './format.ts';
import { type EntriesRecord, HotFile, pathAt, recordAt } from './hot-file.ts';

export class EntriesReader {
  readonly #hot: HotFile;
  readonly #cold: ColdFile;
  /** Where the next block begins. */
  #next = HEADER_BYTES;
  #payload: Buffer = Buffer.alloc(0);
  #memory: [ArrayBuffer, ArrayBuffer] = [new ArrayBuffer(0), new ArrayBuffer(0)];
  /** Where in the payload the next record begins. */
  #at = 0;
  #ordinal = 0;

  /** @throws EntriesDamaged, or the error of a file that is not there */
  static open(hotPath: string, coldPath: string): EntriesReader {
    const hot = new HotFile(hotPath);
    try {
      return new EntriesReader(hot, new ColdFile(coldPath, hot.header.pair));
    } catch (error) {
      hot.close();
      throw error;
    }
  }

  private constructor(hot: HotFile, cold: ColdFile) {
    this.#hot = hot;
    this.#cold = cold;
  }

  /** A second reader of the same files, from their beginning. It must not be used after `close` of this one. */
  another(): EntriesReader {
    return new EntriesReader(this.#hot, this.#cold);
  }

  get header(): EntriesHeader {
    return this.#hot.header;
  }

  get hot(): HotFile {
    return this.#hot;
  }

  get directories(): number {
    return this.#cold.directories;
  }

  /** Position in walk order of the next record: the key of its cold part. */
  get ordinal(): number {
    return this.#ordinal;
  }

  /** Path of the next record, or undefined after the last. */
  peek(): ByteString | undefined {
    return this.#hasNext() ? pathAt(this.#payload, this.#at) : undefined;
  }

  /** The next directory in walk order, or undefined after the last. Its columns are valid until the next but one block is read. */
  next(): EntriesRecord | undefined {
    if (!this.#hasNext()) return undefined;
    const record = recordAt(this.#payload, this.#at, this.#ordinal);
    this.#pass();
    return record;
  }

  /** Passes over the next record. @returns its bytes, valid as long as the columns of `next` */
  skip(): Buffer | undefined {
    if (!this.#hasNext()) return undefined;
    const at = this.#at;
    this.#pass();
    return this.#payload.subarray(at, this.#at);
  }

  cold(ordinal: number, count: number): ColdRecord {
    return this.#cold.record(ordinal, count);
  }

  get coldFile(): ColdFile {
    return this.#cold;
  }

  close(): void {
    this.#hot.close();
    this.#cold.close();
  }

  #pass(): void {
    this.#at = this.#hot.endOf(this.#payload, this.#at);
    this.#ordinal++;
  }

  #hasNext(): boolean {
    while (this.#at === this.#payload.length) {
      if (this.#next >= this.#hot.bytes) {
        // A file that was cut between two blocks has no damaged block: only the count of directories in the cold part tells.
        if (this.#ordinal !== this.#cold.directories) throw damagedEntries(this.#hot.path, 'directories are missing');
        return false;
      }
      const { payload, memory, next } = this.#hot.block(this.#next, this.#memory[1]);
      this.#memory = [memory, this.#memory[0]];
      this.#payload = payload;
      this.#next = next;
      this.#at = 0;
    }
    return true;
  }
}
