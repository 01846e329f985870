/** Reads the other files of an index by docs/format.md: entries, the block table, pending entries, the head cache. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const pad8 = (bytes: number) => (bytes + 7) & ~7;

export interface Entry {
  readonly path: string;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly mode: number;
  readonly kind: number;
  readonly codec: number;
  /** In hex. */
  readonly digest: string;
  readonly dagSize: number;
}

/** All entries of a snapshot, in walk order. @param stem path of the two files without their endings */
export function readEntries(stem: string): Entry[] {
  const [hot, cold] = [readFileSync(`${stem}.hot`), readFileSync(`${stem}.cold`)];
  assert.equal(hot.toString('latin1', 0, 8), 'shrdhot\n');
  assert.equal(cold.toString('latin1', 0, 8), 'shrdcld\n');
  assert.equal(hot.readUInt32LE(8), 2);
  assert.ok(hot.subarray(24, 32).equals(cold.subarray(24, 32)));
  const offsets = offsetsIn(cold);
  const entries: Entry[] = [];
  for (let block = 32; block < hot.length; block += 8 + hot.readUInt32LE(block)) {
    const payload = hot.subarray(block + 8, block + 8 + hot.readUInt32LE(block));
    assert.equal(crc32(payload), hot.readUInt32LE(block + 4));
    for (let at = 0; at < payload.length; ) {
      const [n, p, names] = [payload.readUInt32LE(at), payload.readUInt32LE(at + 4), payload.readUInt32LE(at + 8)];
      entries.push(...directory(payload.subarray(at), n, p, cold, offsets.shift() ?? 0));
      at += pad8(16 + 36 * n + p + names);
    }
  }
  assert.equal(offsets.length, 0);
  return entries;
}

function* directory(record: Buffer, n: number, p: number, cold: Buffer, coldAt: number): Generator<Entry> {
  const header = cold.readUInt32LE(coldAt);
  const width = header >= 2 ** 31 ? 8 : 4;
  assert.equal(header % 2 ** 31, n);
  const columns = cold.subarray(coldAt + 8, coldAt + 8 + pad8(n * (width + 33)));
  assert.equal(crc32(columns), cold.readUInt32LE(coldAt + 4));
  const path = record.toString('latin1', 16 + 36 * n, 16 + 36 * n + p);
  let nameAt = 16 + 36 * n + p;
  for (let i = 0; i < n; i++) {
    const end = nameAt + record.readUInt8(16 + 35 * n + i);
    const name = record.toString('latin1', nameAt, end);
    nameAt = end;
    const cid = n * width + i * 33;
    yield {
      path: path === '' ? name : `${path}/${name}`,
      size: record.readDoubleLE(16 + 8 * i),
      mtimeNs: record.readBigInt64LE(16 + 8 * n + 8 * i),
      mode: record.readUInt16LE(16 + 32 * n + 2 * i),
      kind: record.readUInt8(16 + 34 * n + i),
      codec: columns.readUInt8(cid),
      digest: columns.toString('hex', cid + 1, cid + 33),
      dagSize: width === 8 ? columns.readDoubleLE(8 * i) : columns.readUInt32LE(4 * i),
    };
  }
}

function offsetsIn(cold: Buffer): number[] {
  const [from, count] = [cold.readDoubleLE(cold.length - 16), cold.readUInt32LE(cold.length - 8)];
  const table = cold.subarray(from, from + 8 * count);
  assert.equal(from + table.length + 16, cold.length);
  assert.equal(crc32(table), cold.readUInt32LE(cold.length - 4));
  return Array.from({ length: count }, (_, i) => table.readDoubleLE(8 * i));
}

/** The records of one file of the block table: 20 bytes of a digest in hex, and a shard. */
export function readBlocks(path: string): [prefix: string, shard: number][] {
  const file = readFileSync(path);
  assert.equal(file.toString('latin1', file.length - 4), 'srun');
  const [records, pages] = [file.readUInt32LE(file.length - 16), file.readUInt32LE(file.length - 12)];
  const fence = file.subarray(pages * 4096, pages * 4096 + pages * 4);
  assert.equal(crc32(fence), file.readUInt32LE(file.length - 8));
  const found: [string, number][] = [];
  for (let number = 0; number < pages; number++) {
    const page = file.subarray(number * 4096, (number + 1) * 4096);
    assert.equal(crc32(page.subarray(0, 4092)), page.readUInt32LE(4092));
    assert.equal(page.readUInt32BE(0), fence.readUInt32LE(number * 4));
    for (let i = 0; i < 170 && found.length < records; i++) {
      found.push([page.toString('hex', i * 24, i * 24 + 20), page.readUInt32LE(i * 24 + 20)]);
    }
  }
  const sorted = found.map(([prefix]) => prefix);
  assert.deepEqual(sorted, [...sorted].sort());
  return found;
}

export interface PendingFile {
  readonly header: { readonly version: number; readonly source: string };
  /** Paths and digests of files. */
  readonly rows: readonly [path: string, digest: string][];
  readonly shards: readonly [number: number, cid: string][];
}

/** Up to where the file is torn. */
export function readPending(path: string): PendingFile {
  const file = readFileSync(path);
  const rows: [string, string][] = [];
  const shards: [number, string][] = [];
  let header: PendingFile['header'] | undefined;
  for (let at = 0; at + 16 <= file.length; ) {
    const [kind, bytes] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)];
    const payload = file.subarray(at + 16, at + 16 + bytes);
    if (crc32(file.subarray(at, at + 12)) !== file.readUInt32LE(at + 12) || crc32(payload) !== file.readUInt32LE(at + 8)) break;
    if (kind === 1) header = JSON.parse(payload.toString()) as PendingFile['header'];
    else if (kind === 4) shards.push(...(JSON.parse(payload.toString()) as [number, string][]));
    else rows.push(...rowsIn(payload));
    at += 16 + bytes;
  }
  assert.ok(header !== undefined);
  return { header, rows, shards };
}

function* rowsIn(block: Buffer): Generator<[string, string]> {
  for (let at = 0; at < block.length; ) {
    const [files, bytes] = [block.readUInt32LE(at), block.readUInt32LE(at + 4)];
    const path = block.toString('latin1', at + 8, at + 8 + bytes);
    at = pad8(at + 8 + bytes);
    for (let i = 0; i < files; i++) {
      const end = at + 76 + block.readUInt8(at + 43);
      const name = block.toString('latin1', at + 76, end);
      yield [path === '' ? name : `${path}/${name}`, block.toString('hex', at + 44, at + 76)];
      at = pad8(end);
    }
  }
}

/** Text behind a checksum on a line of its own. */
export function checkedJson<T>(path: string, checksum: (text: string) => string): T {
  const text = readFileSync(path, 'utf8');
  const end = text.indexOf('\n');
  assert.equal(text.slice(0, end), checksum(text.slice(end + 1)));
  return JSON.parse(text.slice(end + 1)) as T;
}
