/**
 * The header of a CAR: dag-cbor of `{roots: [CID…], version: 1}` behind its length, which a CARv2 wraps in a head of its own.
 * It may come from a stranger, and from any tool: keys in any order, roots of any codec and hash, or none.
 */
import { type AnyCid, splitCid } from '../dag/foreign-cid.ts';
import type { CarInput } from './car-input.ts';

/** A header of 26,000 roots. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** A CARv2 begins with `{version: 2}`, and then: characteristics, and where its CARv1 and its index are. */
const V2_HEADER_BYTES = 40;
const V2_CHARACTERISTICS_BYTES = 16;

/** Reads up to the first section, and has `input` end where the sections do. @throws ShardctlError `DAMAGE` when it is no CAR */
export async function readRoots(input: CarInput): Promise<AnyCid[]> {
  const first = await readHeader(input);
  if (first.version === 1) return rootsOf(first, input);
  if (first.version !== 2) throw input.refuse(`is a CAR of version ${first.version}: 1 and 2 are known`);
  await enterV2(input);
  const inner = await readHeader(input);
  if (inner.version !== 1) throw input.refuse('is a CARv2 that holds no CARv1');
  return rootsOf(inner, input);
}

async function enterV2(input: CarInput): Promise<void> {
  const header = await input.take(V2_HEADER_BYTES);
  if (header === undefined) throw input.refuse('is a CARv2, and was cut off');
  const number = (at: number) => Number(header.readBigUInt64LE(V2_CHARACTERISTICS_BYTES + at));
  const [start, length] = [number(0), number(8)];
  // Its writer fills the head in when it is done.
  if (start === 0 || length === 0) throw input.refuse('is a CARv2 that was never finished');
  if (start < input.offset || !Number.isSafeInteger(start + length)) throw input.refuse('is a CARv2 with an impossible head');
  if (!(await input.skip(start - input.offset))) throw input.refuse('is a CARv2, and was cut off');
  input.endAfter(length);
}

interface Header {
  readonly version: number | undefined;
  readonly roots: readonly AnyCid[] | undefined;
}

async function readHeader(input: CarInput): Promise<Header> {
  const length = await input.varint(MAX_HEADER_BYTES);
  const bytes = length === undefined ? undefined : await input.take(length);
  if (bytes === undefined) throw input.refuse('is not a CAR');
  const header = new HeaderReader(bytes).header();
  if (header === undefined) throw input.refuse('is not a CAR');
  return header;
}

function rootsOf({ roots }: Header, input: CarInput): AnyCid[] {
  if (roots === undefined) throw input.refuse('is not a CAR: its header has no roots');
  const once = new Map(roots.map((root) => [Buffer.from(root.bytes).toString('latin1'), root]));
  return [...once.values()];
}

const [UINT, BYTES, TEXT, ARRAY, MAP, TAG] = [0, 2, 3, 4, 5, 6];
const CID_TAG = 42;

/** As much of CBOR as a header may have. Every method gives undefined for what has no place in one. */
class HeaderReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  header(): Header | undefined {
    const fields = this.#head(MAP);
    let version: number | undefined;
    let roots: AnyCid[] | undefined;
    for (let i = 0; fields !== undefined && i < fields; i++) {
      const key = this.#string(TEXT)?.toString();
      if (key === 'version') version = this.#head(UINT);
      else if (key === 'roots') roots = this.#roots();
      else return undefined;
    }
    return this.#at === this.#bytes.length && version !== undefined ? { version, roots } : undefined;
  }

  #roots(): AnyCid[] | undefined {
    const count = this.#head(ARRAY);
    const roots: AnyCid[] = [];
    for (let i = 0; count !== undefined && i < count; i++) {
      const bytes = this.#head(TAG) === CID_TAG ? this.#string(BYTES) : undefined;
      // A CID in dag-cbor stands behind a zero.
      const cid = bytes?.[0] === 0 ? splitCid(bytes.subarray(1)) : undefined;
      if (cid === undefined || cid.bytes.length + 1 !== bytes?.length) return undefined;
      roots.push(cid);
    }
    return count === undefined ? undefined : roots;
  }

  #string(type: number): Buffer | undefined {
    const length = this.#head(type);
    if (length === undefined || length > this.#bytes.length - this.#at) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The number in the head of an item, when the item has this type. */
  #head(type: number | undefined): number | undefined {
    const first = this.#bytes[this.#at++];
    if (first === undefined || first >> 5 !== type) return undefined;
    const short = first & 0x1f;
    if (short < 24) return short;
    const length = [1, 2, 4][short - 24];
    if (length === undefined || this.#at + length > this.#bytes.length) return undefined;
    this.#at += length;
    return this.#bytes.readUIntBE(this.#at - length, length);
  }
}
