/**
 * The entries of directories in an order, so that a listing goes on where it stopped: the kernel asks for a page at a time, and says how
 * many entries it has had. Kept compact, because a directory may have a million entries: 33 bytes each and the name.
 */
import { LRUCache } from 'lru-cache';
import { type BlockId, type ByteString, DAG_PB, DIGEST_BYTES, DIRECTORY, RAW } from '../../core/model.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { linksOf, readEntry, type TreeLink } from '../../read/tree/tree.ts';

/** The kernel refuses a whole page for one longer name. No file system of Linux has one. */
const MOST_NAME_BYTES = 1024;

export class Listing {
  readonly length: number;
  /** Names that nobody can be told. */
  readonly withheld: number;
  /** Why entries are missing: a part of a HAMT directory could not be read. */
  readonly failure: unknown;
  readonly #names: Buffer;
  readonly #ends: Uint32Array;
  readonly #digests: Buffer;
  readonly #isRaw: Uint8Array;

  constructor(all: readonly TreeLink[], failure?: unknown) {
    const links = all.filter(({ name }) => name.length <= MOST_NAME_BYTES);
    this.length = links.length;
    this.withheld = all.length - links.length;
    this.failure = failure;
    this.#names = Buffer.alloc(links.reduce((sum, { name }) => sum + name.length, 0));
    this.#ends = new Uint32Array(links.length);
    this.#digests = Buffer.alloc(links.length * DIGEST_BYTES);
    this.#isRaw = new Uint8Array(links.length);
    let end = 0;
    for (const [at, { name, codec, digest }] of links.entries()) {
      end += this.#names.write(name, end, 'latin1');
      this.#ends[at] = end;
      this.#digests.set(digest, at * DIGEST_BYTES);
      this.#isRaw[at] = codec === RAW ? 1 : 0;
    }
  }

  get bytes(): number {
    return 200 + this.#names.length + this.length * (DIGEST_BYTES + 5);
  }

  nameBytesAt(at: number): number {
    return (this.#ends[at] ?? 0) - this.#startOf(at);
  }

  nameAt(at: number): ByteString {
    return this.#names.toString('latin1', this.#startOf(at), this.#ends[at]);
  }

  *names(): Generator<ByteString> {
    for (let at = 0; at < this.length; at++) yield this.nameAt(at);
  }

  /** Where this name stands; undefined where it is not. */
  find(name: ByteString): number | undefined {
    let [low, high] = [0, this.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.nameAt(middle);
      if (found === name) return middle;
      if (found < name) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  idAt(at: number): BlockId {
    const digest = this.#digests.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES);
    return { codec: this.#isRaw[at] === 1 ? RAW : DAG_PB, digest };
  }

  #startOf(at: number): number {
    return at === 0 ? 0 : (this.#ends[at - 1] ?? 0);
  }
}

/** Those that were used last; the very last one also when it is larger than the bound. */
export class Listings {
  readonly #kept: LRUCache<string, Listing>;
  /** By digest. Those who ask for the same directory meanwhile wait for the same. */
  readonly #underWay = new Map<string, Promise<Listing>>();
  #last: { readonly key: string; readonly listing: Listing } | undefined;

  /** @param mostBytes of what is kept */
  constructor(mostBytes = 32 * 1024 * 1024) {
    this.#kept = new LRUCache<string, Listing>({ maxSize: mostBytes, sizeCalculation: ({ bytes }) => bytes });
  }

  /** That of a directory which was listed lately, and was whole. */
  known({ digest }: BlockId): Listing | undefined {
    const key = Buffer.from(digest).toString('latin1');
    const listing = this.#last?.key === key ? this.#last.listing : this.#kept.get(key);
    return listing?.failure === undefined && listing?.withheld === 0 ? listing : undefined;
  }

  /** @throws ShardctlError when the directory itself cannot be read, or has names that nobody may have */
  async of(id: BlockId, blocks: Blocks): Promise<Listing> {
    const key = Buffer.from(id.digest).toString('latin1');
    if (this.#last?.key === key) return this.#last.listing;
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const before = this.#underWay.get(key);
    if (before !== undefined) return await before;
    const read = this.#read(key, id, blocks).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, read);
    return await read;
  }

  async #read(key: string, id: BlockId, blocks: Blocks): Promise<Listing> {
    const entry = await readEntry(id, blocks);
    if (entry.kind !== DIRECTORY) throw new Error('only directories are listed');
    let failure: unknown;
    const links = await linksOf(entry, blocks, (error) => {
      failure ??= error;
    });
    const listing = new Listing(links, failure);
    this.#last = { key, listing };
    if (failure === undefined) this.#kept.set(key, listing);
    return listing;
  }

  /** What it lacks may be there at the next try. */
  drop({ digest }: BlockId): void {
    if (this.#last?.key === Buffer.from(digest).toString('latin1')) this.#last = undefined;
  }
}
