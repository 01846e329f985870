/** For tests: UnixFS nodes that say whatever they are told to, as a stranger may write them, and CARs of them. */
import { cidBytes, sha256 } from '../dag/cid.ts';
import { ShardctlError } from '../errors.ts';
import { type BlockId, type ByteString, DAG_PB, RAW } from '../model.ts';
import type { Blocks } from '../read/block-source.ts';
import { treeCarHeader, treeSectionHead } from '../shard/car-file.ts';

export interface HostileLink {
  readonly id: BlockId;
  readonly name?: ByteString;
}

const [DIRECTORY, FILE, HAMT] = [1, 2, 5];
const MURMUR3 = 0x22;

export class HostileDag implements Blocks {
  readonly #blocks = new Map<string, { readonly id: BlockId; readonly bytes: Buffer }>();
  /** Blocks that were read, each as often as it was. */
  reads = 0;

  get size(): number {
    return this.#blocks.size;
  }

  raw(bytes: Uint8Array): BlockId {
    return this.#put(RAW, Buffer.from(bytes));
  }

  directory(links: readonly HostileLink[]): BlockId {
    return this.#node(links, varintField(1, DIRECTORY));
  }

  /** @param sizes what it says of each link; none, as some writers do, when absent */
  file(links: readonly BlockId[], fileBytes: number, sizes: readonly number[] = []): BlockId {
    const named = links.map((id) => ({ id }));
    return this.#node(named, varintField(1, FILE), varintField(3, fileBytes), ...sizes.map((size) => varintField(4, size)));
  }

  /** @param links whose names begin with their slots */
  hamt(links: readonly HostileLink[], fanout: number): BlockId {
    const field = bytesField(2, Buffer.alloc(fanout / 8, 0xff));
    return this.#node(links, varintField(1, HAMT), field, varintField(5, MURMUR3), varintField(6, fanout));
  }

  async read(digest: Uint8Array): Promise<Uint8Array> {
    this.reads++;
    const block = this.#blocks.get(keyOf(digest));
    if (block === undefined) throw new ShardctlError('DAMAGE', 'a block is missing');
    return block.bytes;
  }

  car(root: BlockId): Buffer {
    const sections = [...this.#blocks.values()].flatMap(({ id, bytes }) => [treeSectionHead(id, bytes.length, 1), bytes]);
    return Buffer.concat([treeCarHeader(root, 1), ...sections]);
  }

  #node(links: readonly HostileLink[], ...data: readonly Buffer[]): BlockId {
    const encoded = links.map(({ id, name = '' }) =>
      bytesField(2, Buffer.concat([bytesField(1, cidBytes(id, 1)), bytesField(2, Buffer.from(name, 'latin1')), varintField(3, 1)])),
    );
    return this.#put(DAG_PB, Buffer.concat([...encoded, bytesField(1, Buffer.concat(data))]));
  }

  #put(codec: BlockId['codec'], bytes: Buffer): BlockId {
    const id = { codec, digest: sha256(bytes) };
    this.#blocks.set(keyOf(id.digest), { id, bytes });
    return id;
  }
}

function keyOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}
