/** For tests: UnixFS nodes that say whatever they are told to, as a stranger may write them, and CARs of them. */

import { ShardctlError } from '../core/errors.ts';
import { type BlockId, type ByteString, DAG_PB, RAW } from '../core/model.ts';
import { cidBytes, sha256 } from '../dag/cid.ts';
import { treeCarHeader, treeSectionHead } from '../exchange/tree-car/write.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { type ForeignUnixFs, foreignNode, foreignUnixFs, TYPE } from './foreign-car.ts';

export interface HostileLink {
  readonly id: BlockId;
  readonly name?: ByteString;
}

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
    return this.#node(links, { type: TYPE.directory });
  }

  /** @param sizes what it says of each link; none, as some writers do, when absent */
  file(links: readonly BlockId[], fileBytes: number, sizes: readonly number[] = []): BlockId {
    const named = links.map((id) => ({ id }));
    return this.#node(named, { type: TYPE.file, filesize: fileBytes, blocksizes: sizes });
  }

  /** @param links whose names begin with their slots */
  hamt(links: readonly HostileLink[], fanout: number): BlockId {
    return this.#node(links, { type: TYPE.hamt, data: Buffer.alloc(fanout / 8, 0xff), fanout });
  }

  symlink(target: string): BlockId {
    return this.#node([], { type: TYPE.symlink, data: Buffer.from(target) });
  }

  /** A node that nobody has. */
  absent(): BlockId {
    return { codec: DAG_PB, digest: sha256(Buffer.from('absent')) };
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

  #node(links: readonly HostileLink[], data: ForeignUnixFs): BlockId {
    const named = links.map(({ id, name = '' }) => ({ cid: { bytes: cidBytes(id, 1) }, name: Buffer.from(name, 'latin1'), size: 1 }));
    return this.#put(DAG_PB, foreignNode(named, foreignUnixFs(data)));
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
