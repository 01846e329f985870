/**
 * A CAR of a whole tree, as other IPFS tools write it: version 1 or 2, CIDs of either version, any number of roots, blocks that
 * no tree has beside those that one needs, zeros at the end. It may come from a stranger.
 *
 * @ipld/car reads the headers, and the length and CID of each section. What it does not do is done here: its `CarBlockIterator`
 * and `createDecoder` allocate as many bytes as a section claims, take zeros at the end for damage, and end without a word where
 * a CARv2 is cut between two sections. So its `readHeader` and `readBlockHead` are called on bytes that are bounded (`CarBytes`),
 * and a section's bytes are taken only when their number is known to be a block's. Hashes are the caller's to check. The library
 * wants the header in strict dag-cbor, every number as short as can be, which is how go-car, iroh and itself write it.
 */
import { readBlockHead, readHeader } from '@ipld/car/decoder';
import { messageOf, ShardctlError } from '../../core/errors.ts';
import type { BlockId } from '../../core/model.ts';
import { type AnyCid, anyCidOf, blockOf } from '../../dag/foreign-cid.ts';
import { MAX_BLOCK_BYTES } from '../../shard/car.ts';
import { CarBytes } from './car-bytes.ts';
import { chooseRoot, type TreeRoot } from './choose-root.ts';

/** A header of 26,000 roots. */
const MAX_HEADER_BYTES = 1024 * 1024;
/** More than any CID has that is in use: of a hash of 64 bytes, or inline with 128. */
const MAX_CID_BYTES = 256;

export interface CarBlock extends BlockId {
  /** A view: valid until the next block is asked for. */
  readonly bytes: Buffer;
}

/** Reads a CAR front to back. Holds one section. */
export class TreeCar {
  readonly root: TreeRoot;
  readonly #input: CarBytes;
  #foreign = 0;

  /**
   * @param name what the CAR is called in messages
   * @param wanted CID of the root to take, where it has several
   * @throws ShardctlError `DAMAGE` when it is no CAR, or has no root that a tree can have; `USAGE` when it is not said which root is wanted
   */
  static async open(chunks: AsyncIterable<Uint8Array>, name: string, wanted?: string): Promise<TreeCar> {
    const input = new CarBytes(chunks, name, MAX_HEADER_BYTES);
    const roots = await readRoots(input);
    return new TreeCar(chooseRoot(roots, name, wanted), input);
  }

  private constructor(root: TreeRoot, input: CarBytes) {
    this.root = root;
    this.#input = input;
  }

  /** Blocks that were passed over: of another codec or hash than a tree has here, so that no tree needs them. */
  get foreign(): number {
    return this.#foreign;
  }

  /** @throws ShardctlError `DAMAGE` at the first byte that cannot be a block's */
  async *blocks(): AsyncGenerator<CarBlock> {
    const input = this.#input;
    input.limit = MAX_CID_BYTES + MAX_BLOCK_BYTES;
    for (;;) {
      const at = input.pos;
      const [first] = await input.upTo(1);
      if (first === undefined) {
        if (input.isCut) throw input.refuse(`was cut off at offset ${at}`);
        break;
      }
      if (first === 0) {
        // Filecoin's tools fill CARs up with zeros.
        if (await input.isPadding()) break;
        throw input.refuse(`has something after the zeros at offset ${at}`);
      }
      const { cid, blockLength } = await parsed(input, readBlockHead(input));
      if (blockLength < 0) throw input.refuse(`has a block without a CID at offset ${at}`);
      if (blockLength > MAX_BLOCK_BYTES) throw input.refuse(`has a block of ${blockLength} bytes at offset ${at}`);
      const block = blockOf(anyCidOf(cid));
      const bytes = await input.exactly(blockLength, true);
      // A block that is inline in its CID comes with every link to it, too.
      if (block === undefined) this.#foreign++;
      else if (block.inline === undefined) yield { codec: block.codec, digest: block.digest, bytes };
    }
    await input.drain();
  }
}

/** Reads up to the first section, and has `input` end where the sections do. @throws ShardctlError `DAMAGE` when it is no CAR */
async function readRoots(input: CarBytes): Promise<AnyCid[]> {
  const header = await parsed(input, readHeader(input));
  if (header.version === 2) {
    if (header.dataSize === 0) throw input.refuse('is a CARv2 that was never finished');
    const end = header.dataOffset + header.dataSize;
    if (!Number.isSafeInteger(end)) throw input.refuse('is a CARv2 with an impossible head');
    if (input.pos > end) throw input.refuse('is a CARv2 that ends within the header of its CARv1');
    input.endAt(end);
  }
  const once = new Map(header.roots.map((root) => [root.toString(), anyCidOf(root)]));
  return [...once.values()];
}

/** What the library says of bytes that it cannot read becomes damage; why the source could not be read stays what it is. */
async function parsed<T>(input: CarBytes, reading: Promise<T>): Promise<T> {
  const at = input.pos;
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ShardctlError || error === input.failure) throw error;
    throw input.refuse(`is not a CAR, or is cut off, at offset ${at}: ${messageOf(error)}`);
  }
}
