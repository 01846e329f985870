/**
 * Reads blocks of a shard as one stream: the shard's file, of which the manifest says where each block lies and which hash it has. As a
 * file and not as a CAR: to send 1.1 GB in blocks of 14 KB takes a Kubo 4 s of processor time as files, and 8 s as CARs.
 */
import { type BlockId, DIGEST_BYTES, RAW } from '../core/model.ts';
import { sha256 } from '../dag/cid.ts';
import { GatewayFailure } from './failure.ts';
import type { Gateways } from './gateways.ts';

/** As `MAX_BLOCK_BYTES`; grows from a small one, because most shards hold small blocks. */
const FIRST_ASSEMBLY_BYTES = 128 * 1024;

/** Blocks of a shard that lie side by side. Plain data, which can be sent to a worker thread. */
export interface ShardPart {
  /** CID of the shard, as text. */
  readonly cid: string;
  /** 32 bytes a block, of all blocks of the shard, as its manifest lists them. */
  readonly digests: Uint8Array;
  /** Bytes of each block. */
  readonly lengths: ArrayLike<number>;
  /** Positions in the shard of the first block that is wanted, and of the one after the last. */
  readonly from: number;
  readonly to: number;
}

/** @param position of the block in the shard @param bytes hashed; a view that is valid until the call returns */
export type TakeBlock = (position: number, bytes: Buffer) => void;

/**
 * Every block of the part in its order, each once, hashed. When a gateway fails, another goes on behind the last block that was good.
 * @throws ShardctlError `TOO_FEW_PEERS` when no gateway gives the rest; what `take` throws
 */
export async function readShardPart(gateways: Gateways, part: ShardPart, take: TakeBlock): Promise<void> {
  const { cid, lengths, from, to } = part;
  let at = 0;
  for (let i = 0; i < from; i++) at += lengthAt(lengths, i);
  let end = at;
  for (let i = from; i < to; i++) end += lengthAt(lengths, i);
  let size = end;
  for (let i = to; i < lengths.length; i++) size += lengthAt(lengths, i);
  const cursor = new BlockCursor(part, take);
  // Blocks without a byte need no gateway.
  cursor.takeEmpty();
  if (cursor.position === to) return;
  await gateways.asking(`the bytes of shard ${cid}`, async (gateway, progress, lags) => {
    cursor.begin();
    const start = at + cursor.doneBytes;
    await gateway.file(
      cid,
      { from: start, to: end, size },
      (piece) => {
        const before = cursor.position;
        const isMore = cursor.push(piece);
        if (cursor.position > before) progress();
        return isMore;
      },
      { signal: gateways.signal, lags, next: () => cursor.next },
    );
    if (cursor.position < to) throw new GatewayFailure('broken', 'it ends a shard too early');
  });
}

/** Cuts what comes in into blocks; a block that lies whole in one piece is not copied. */
class BlockCursor {
  /** The next block. */
  position: number;
  /** Bytes of all blocks before it. */
  doneBytes = 0;
  readonly #part: ShardPart;
  readonly #take: TakeBlock;
  #assembly = Buffer.allocUnsafeSlow(FIRST_ASSEMBLY_BYTES);
  #held = 0;

  constructor(part: ShardPart, take: TakeBlock) {
    this.#part = part;
    this.#take = take;
    this.position = part.from;
  }

  get next(): BlockId {
    const at = this.position * DIGEST_BYTES;
    return { codec: RAW, digest: this.#part.digests.subarray(at, at + DIGEST_BYTES) };
  }

  /** A new stream begins, with the next block. */
  begin(): void {
    this.#held = 0;
  }

  takeEmpty(): void {
    while (this.position < this.#part.to && this.#length() === 0) this.#accept(Buffer.alloc(0));
  }

  /** @returns whether a block is still missing */
  push(piece: Buffer): boolean {
    let at = 0;
    while (this.position < this.#part.to) {
      const length = this.#length();
      if (this.#held === 0 && piece.length - at >= length) {
        this.#accept(piece.subarray(at, at + length));
        at += length;
        continue;
      }
      const taken = Math.min(length - this.#held, piece.length - at);
      if (taken === 0 && length > 0) return true;
      this.#reserve(length);
      piece.copy(this.#assembly, this.#held, at, at + taken);
      this.#held += taken;
      at += taken;
      if (this.#held < length) return true;
      this.#held = 0;
      this.#accept(this.#assembly.subarray(0, length));
    }
    return false;
  }

  #accept(bytes: Buffer): void {
    const { digests } = this.#part;
    const hash = sha256(bytes);
    for (let i = 0, j = this.position * DIGEST_BYTES; i < DIGEST_BYTES; i++, j++)
      if (hash[i] !== digests[j]) throw new GatewayFailure('lies', 'it gives a shard of other bytes');
    const position = this.position++;
    this.doneBytes += bytes.length;
    this.#take(position, bytes);
  }

  #length(): number {
    return lengthAt(this.#part.lengths, this.position);
  }

  #reserve(length: number): void {
    if (this.#assembly.length >= length) return;
    const larger = Buffer.allocUnsafeSlow(length);
    this.#assembly.copy(larger, 0, 0, this.#held);
    this.#assembly = larger;
  }
}

function lengthAt(lengths: ArrayLike<number>, position: number): number {
  return lengths[position] as number;
}
