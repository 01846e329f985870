import type { ShardReader } from '../peer/peer.ts';

/** For tests: a shard that was opened, and of which then no byte can be read. @param fails what each read does, also the first of a scan */
export function failingReader(reader: ShardReader, fails: () => Promise<never>): ShardReader {
  return {
    blocks: reader.blocks,
    contents: () => reader.contents(),
    read: fails,
    scan: () => ({ [Symbol.asyncIterator]: () => ({ next: fails }) }),
    close: () => reader.close(),
  };
}
