/** Reads the tables of an index as docs/format.md describes LMDB's file, without LMDB. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const PAGE_HEADER = 24;
const [BRANCH, LEAF] = [1, 2];
const [ELSEWHERE, SUBTREE] = [1, 2];

interface Item {
  readonly key: Buffer;
  readonly data: Buffer;
  readonly isTree: boolean;
}

export class TablesFile {
  readonly #file: Buffer;
  readonly #pageBytes: number;
  readonly #tables: ReadonlyMap<string, Buffer>;

  constructor(path: string) {
    this.#file = readFileSync(path);
    this.#pageBytes = this.#file.readUInt32LE(48);
    const metas = [this.#page(0n), this.#page(1n)].sort((a, b) => Number(b.readBigUInt64LE(152) - a.readBigUInt64LE(152)));
    const [newest = Buffer.alloc(0)] = metas;
    const tables = [...this.#items(newest.subarray(96, 144))].filter(({ isTree }) => isTree);
    this.#tables = new Map(tables.map(({ key, data }) => [key.toString().replace(/\0$/, ''), data]));
  }

  /** The records of a table, in the order of their keys. */
  records<T>(table: string): T[] {
    const tree = this.#tables.get(table);
    assert.ok(tree !== undefined, table);
    return [...this.#items(tree)].map(({ data }) => {
      const text = data.toString();
      const end = text.indexOf('\n');
      if (table !== 'meta') assert.equal(Number(text.slice(0, end)), crc32(text.slice(end + 1)));
      return JSON.parse(text.slice(end + 1)) as T;
    });
  }

  *#items(tree: Buffer): Generator<Item> {
    const depth = tree.readUInt16LE(6);
    if (depth > 0) yield* this.#itemsBelow(tree.readBigUInt64LE(40), depth);
  }

  *#itemsBelow(number: bigint, levels: number): Generator<Item> {
    const page = this.#page(number);
    assert.equal(page.readBigUInt64LE(0), number);
    assert.equal(page.readUInt16LE(18), levels === 1 ? LEAF : BRANCH);
    const count = page.readUInt16LE(20) >> 1;
    for (let i = 0; i < count; i++) {
      const at = PAGE_HEADER + page.readUInt16LE(PAGE_HEADER + 2 * i);
      if (levels > 1) yield* this.#itemsBelow(BigInt(page.readUIntLE(at, 6)), levels - 1);
      else yield this.#item(page, at);
    }
  }

  #item(page: Buffer, at: number): Item {
    const bytes = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    const dataAt = at + 8 + page.readUInt16LE(at + 6);
    const key = page.subarray(at + 8, dataAt);
    const isTree = (flags & SUBTREE) !== 0;
    if ((flags & ELSEWHERE) === 0) return { key, data: page.subarray(dataAt, dataAt + bytes), isTree };
    const from = Number(page.readBigUInt64LE(dataAt)) * this.#pageBytes + PAGE_HEADER;
    return { key, data: this.#file.subarray(from, from + bytes), isTree };
  }

  #page(number: bigint): Buffer {
    const at = Number(number) * this.#pageBytes;
    return this.#file.subarray(at, at + this.#pageBytes);
  }
}
