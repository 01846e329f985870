/**
 * CARs of whole trees, as other IPFS tools write and read them: one root, CIDs of either version. What is read may come
 * from a stranger: lengths are bounded, and only blocks that a tree can hold are let through. Hashes are the caller's to check.
 */
import { CID_V0_BYTES, CID_V1_BYTES, type CidVersion, cidBytes, cidLength, readCid } from '../dag/cid.ts';
import { ShardctlError } from '../errors.ts';
import type { BlockId } from '../model.ts';
import { MAX_BLOCK_BYTES } from './car.ts';

const ROOTS = Buffer.from([0xa2, 0x65, ...Buffer.from('roots'), 0x81, 0xd8, 0x2a, 0x58]);
const VERSION_1 = Buffer.from([0x67, ...Buffer.from('version'), 0x01]);
/** The first bytes of every CARv2. */
const V2_PRAGMA = Buffer.from([0x0a, 0xa1, 0x67, ...Buffer.from('version'), 0x02]);
/** A section is no longer than this: a CID and a block. */
const MAX_SECTION_BYTES = CID_V1_BYTES + MAX_BLOCK_BYTES;

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

/** Reads a CAR front to back. Holds one section. */
export class TreeCar {
  readonly root: BlockId & { readonly version: CidVersion };
  readonly #input: Input;

  /** @throws ShardctlError `DAMAGE` when it is no CARv1 with one root that a tree can have */
  static async open(chunks: AsyncIterable<Uint8Array>, name: string): Promise<TreeCar> {
    const input = new Input(chunks, name);
    const start = await input.peek(V2_PRAGMA.length);
    if (start?.equals(V2_PRAGMA)) throw input.refuse('is a CARv2; unwrap it to a CARv1 first');
    const length = await input.varint(128);
    const header = length === undefined ? undefined : await input.take(length);
    const at = ROOTS.length + 2;
    const cidBytesThere = header?.[ROOTS.length] ?? 0;
    const cid = header?.subarray(at, at + cidBytesThere - 1);
    const isCar = header?.subarray(0, ROOTS.length).equals(ROOTS) && header.subarray(at + cidBytesThere - 1).equals(VERSION_1);
    if (isCar !== true || cid === undefined) throw input.refuse('is not a CARv1 with one root');
    const root = readCid(cid);
    if (root === undefined) throw input.refuse('has a root that is not the sha2-256 CID of a raw or dag-pb block');
    const version = cid.length === CID_V0_BYTES ? 0 : 1;
    return new TreeCar({ codec: root.codec, digest: Uint8Array.from(root.digest), version }, input);
  }

  private constructor(root: BlockId & { readonly version: CidVersion }, input: Input) {
    this.root = root;
    this.#input = input;
  }

  /** @throws ShardctlError `DAMAGE` at the first byte that cannot be a block's */
  async *blocks(): AsyncGenerator<CarBlock> {
    const input = this.#input;
    for (;;) {
      const at = input.offset;
      const length = await input.varint(MAX_SECTION_BYTES);
      if (length === undefined) return;
      const section = await input.take(length);
      if (section === undefined) throw input.refuse(`ends within the block at offset ${at}: it was cut off`);
      const isV0 = section[0] === 0x12 && section[1] === 0x20;
      const cidLengthThere = isV0 ? CID_V0_BYTES : CID_V1_BYTES;
      const id = section.length < cidLengthThere ? undefined : readCid(section.subarray(0, cidLengthThere));
      if (id === undefined) throw input.refuse(`has a block at offset ${at} that is not raw or dag-pb under sha2-256`);
      const bytes = section.subarray(cidLengthThere);
      if (bytes.length > MAX_BLOCK_BYTES) throw input.refuse(`has a block of ${bytes.length} bytes at offset ${at}`);
      yield { ...id, bytes };
    }
  }
}

/** Bytes by their number, whatever pieces they come in. */
class Input {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #name: string;
  #held = Buffer.alloc(0);
  offset = 0;

  constructor(chunks: AsyncIterable<Uint8Array>, name: string) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#name = name;
  }

  refuse(why: string): ShardctlError {
    return new ShardctlError('DAMAGE', `${this.#name} ${why}`);
  }

  /** Undefined when there are fewer bytes left. */
  async peek(length: number): Promise<Buffer | undefined> {
    if (this.#held.length < length) {
      const parts = [this.#held];
      for (let have = this.#held.length; have < length; ) {
        const step = await this.#chunks.next();
        if (step.done === true) break;
        parts.push(Buffer.from(step.value));
        have += step.value.length;
      }
      this.#held = Buffer.concat(parts);
    }
    return this.#held.length < length ? undefined : this.#held.subarray(0, length);
  }

  async take(length: number): Promise<Buffer | undefined> {
    const bytes = await this.peek(length);
    if (bytes === undefined) return undefined;
    this.#held = this.#held.subarray(length);
    this.offset += length;
    return bytes;
  }

  /** Undefined at the end. @throws ShardctlError `DAMAGE` when the end is within it, or it is more than `most` */
  async varint(most: number): Promise<number | undefined> {
    const at = this.offset;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = (await this.take(1))?.[0];
      if (byte === undefined && shift === 0) return undefined;
      if (byte === undefined || shift > 21) throw this.refuse(`is not a CAR, or is cut off at offset ${at}`);
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (value === 0 || value > most) throw this.refuse(`is not a CAR: it claims ${value} bytes at offset ${at}`);
    return value;
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
