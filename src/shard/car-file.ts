/**
 * CARs of whole trees, as other IPFS tools write and read them: version 1 or 2, CIDs of either version, any number of roots,
 * blocks that no tree has beside those that one needs, zeros at the end. What is read may come from a stranger: lengths are
 * bounded, and only blocks that a tree can hold are let through. Hashes are the caller's to check.
 */

import { ShardctlError } from '../core/errors.ts';
import { type BlockId, DAG_PB } from '../core/model.ts';
import { type CidVersion, cidBytes, cidLength, parseCid, textOfCid } from '../dag/cid.ts';
import { type AnyCid, blockOf, type FoundBlock, kindOf, splitCid } from '../dag/foreign-cid.ts';
import { MAX_BLOCK_BYTES } from './car.ts';
import { readRoots } from './car-header.ts';
import { CarInput } from './car-input.ts';

const ROOTS = Buffer.from([0xa2, 0x65, ...Buffer.from('roots'), 0x81, 0xd8, 0x2a, 0x58]);
const VERSION_1 = Buffer.from([0x67, ...Buffer.from('version'), 0x01]);
/** More than any CID has that is in use: of a hash of 64 bytes, or inline with 128. */
const MAX_CID_BYTES = 256;
/** Roots that a message names. */
const NAMED = 8;

/** The header of a CARv1 whose only root is `root`. */
export function treeCarHeader(root: BlockId, version: CidVersion): Buffer {
  const cid = cidBytes(root, version);
  const header = Buffer.concat([ROOTS, Buffer.from([cid.length + 1, 0]), cid, VERSION_1]);
  return Buffer.concat([varint(header.length), header]);
}

/** What stands before a block's bytes. */
export function treeSectionHead(block: BlockId, length: number, version: CidVersion): Buffer {
  return Buffer.concat([varint(cidLength(block.codec, version) + length), cidBytes(block, version)]);
}

export interface CarBlock extends BlockId {
  /** A view: valid until the next block is asked for. */
  readonly bytes: Buffer;
}

/** A root that a tree can have. */
export type TreeRoot = FoundBlock & { readonly version: CidVersion };

/** Reads a CAR front to back. Holds one section. */
export class TreeCar {
  readonly root: TreeRoot;
  readonly #input: CarInput;
  #foreign = 0;

  /**
   * @param name what it is called in messages
   * @param wanted CID of the root to take, where it has several
   * @throws ShardctlError `DAMAGE` when it is no CAR, or has no root that a tree can have; `USAGE` when it is not said which root is wanted
   */
  static async open(chunks: AsyncIterable<Uint8Array>, name: string, wanted?: string): Promise<TreeCar> {
    const input = new CarInput(chunks, name);
    const roots = await readRoots(input);
    return new TreeCar(wanted === undefined ? onlyRoot(roots, input, name) : chosenRoot(roots, wanted, input, name), input);
  }

  private constructor(root: TreeRoot, input: CarInput) {
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
    for (;;) {
      const at = input.offset;
      const length = await input.varint(MAX_CID_BYTES + MAX_BLOCK_BYTES);
      if (length === undefined) break;
      if (length === 0) {
        // Filecoin's tools fill CARs up with zeros.
        if (await input.isPadding()) break;
        throw input.refuse(`has something after the zeros at offset ${at}`);
      }
      const section = await input.take(length);
      if (section === undefined) throw input.refuse(`ends within the block at offset ${at}: it was cut off`);
      const cid = splitCid(section);
      if (cid === undefined) throw input.refuse(`has a block without a CID at offset ${at}`);
      const bytes = section.subarray(cid.bytes.length);
      if (bytes.length > MAX_BLOCK_BYTES) throw input.refuse(`has a block of ${bytes.length} bytes at offset ${at}`);
      const block = blockOf(cid);
      // What is inline in its CID is where that CID is, too.
      if (block === undefined) this.#foreign++;
      else if (block.inline === undefined) yield { codec: block.codec, digest: block.digest, bytes };
    }
    await input.drain();
  }
}

function onlyRoot(roots: readonly AnyCid[], input: CarInput, name: string): TreeRoot {
  const [first] = roots;
  if (first === undefined)
    throw new ShardctlError('USAGE', `${name} does not say which of its blocks is the root`, { hint: 'say it: --root CID' });
  if (roots.length === 1) return treeRoot(first, input);
  const possible = roots.find((root) => blockOf(root)?.codec === DAG_PB);
  if (possible === undefined) throw input.refuse(`has ${roots.length} roots, and none of them is a tree: ${named(roots)}`);
  throw new ShardctlError('USAGE', `${name} has ${roots.length} roots: ${named(roots)}`, {
    hint: `say which one is wanted: --root ${textOfCid(possible.bytes)}`,
  });
}

/** A CAR without roots may have any tree in it; one with roots has those. */
function chosenRoot(roots: readonly AnyCid[], wanted: string, input: CarInput, name: string): TreeRoot {
  // As it is named in a message: one that is inline is its CID alone.
  const root = roots.find(({ bytes }) => textOfCid(bytes) === wanted);
  if (root !== undefined) return treeRoot(root, input);
  const { codec, digest, version } = parseCid(wanted);
  const isWanted = (other: AnyCid) => {
    const block = blockOf(other);
    return block !== undefined && block.codec === codec && Buffer.compare(block.digest, digest) === 0;
  };
  if (roots.length === 0 || roots.some(isWanted)) return copyOf({ codec, digest }, version);
  throw new ShardctlError('USAGE', `${wanted} is not a root of ${name}`, { hint: `it has ${named(roots)}` });
}

function treeRoot(root: AnyCid, input: CarInput): TreeRoot {
  const block = blockOf(root);
  if (block !== undefined) return copyOf(block, root.version);
  throw input.refuse(`has the root ${textOfCid(root.bytes)}, which is ${kindOf(root)}: a tree is dag-pb under sha2-256`);
}

/** In memory of its own. */
function copyOf({ codec, digest, inline }: FoundBlock, version: CidVersion): TreeRoot {
  return { codec, digest: Uint8Array.from(digest), version, ...(inline === undefined ? {} : { inline: Uint8Array.from(inline) }) };
}

function named(roots: readonly AnyCid[]): string {
  const texts = roots.slice(0, NAMED).map(({ bytes }) => textOfCid(bytes));
  return `${texts.join(', ')}${roots.length > NAMED ? ', …' : ''}`;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
