/** Reads a shard whose blocks are files of their own. */

import type { DigestMap } from '../../../core/digest-map.ts';
import { isDamage, ShardctlError } from '../../../core/errors.ts';
import { DIGEST_BYTES } from '../../../core/model.ts';
import { blockText } from '../../../dag/cid.ts';
import { contentsOf, type Manifest } from '../../../shard/manifest.ts';
import type { ReadBlock, ShardContents, ShardReader } from '../../peer.ts';

export class BlockShardReader implements ShardReader {
  readonly #cid: string;
  readonly #manifest: Manifest;
  readonly #load: (digest: Uint8Array) => Promise<Uint8Array | undefined>;
  readonly damage: string | undefined;

  constructor(cid: string, manifest: Manifest, load: (digest: Uint8Array) => Promise<Uint8Array | undefined>, damage: string | undefined) {
    this.damage = damage;
    this.#cid = cid;
    this.#manifest = manifest;
    this.#load = load;
  }

  get blocks(): number {
    return this.#manifest.lengths.length;
  }

  contents(): ShardContents {
    return contentsOf(this.#manifest);
  }

  async read(digest: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#manifest.blocks.get(digest) === undefined) return undefined;
    const bytes = await this.#load(digest);
    if (bytes === undefined) throw new ShardctlError('DAMAGE', `block ${blockText(digest)} of shard ${this.#cid} is missing`);
    return bytes;
  }

  async *scan(onDamage: (detail: string) => void): AsyncIterable<ReadBlock> {
    if (this.damage !== undefined) onDamage(this.damage);
    for (const digest of digestsOf(this.#manifest.blocks)) {
      const bytes = await this.read(digest).catch((error: unknown) => {
        if (!isDamage(error)) throw error;
        onDamage(error.message);
      });
      if (bytes !== undefined) yield { digest, bytes };
    }
  }

  async close(): Promise<void> {}
}

/** A shard whose manifest is damaged: which blocks it had is not known any more. A block that is asked for may still be here. */
export class SalvagedBlocks implements ShardReader {
  readonly damage = 'what it holds is not known any more';
  readonly blocks = 0;
  readonly read: (digest: Uint8Array) => Promise<Uint8Array | undefined>;
  readonly #cid: string;

  constructor(cid: string, load: (digest: Uint8Array) => Promise<Uint8Array | undefined>) {
    this.#cid = cid;
    this.read = load;
  }

  contents(): never {
    throw new ShardctlError('DAMAGE', `shard ${this.#cid} is damaged: ${this.damage}`);
  }

  // biome-ignore lint/correctness/useYield: of no block here it is known that it is this shard's
  async *scan(onDamage: (detail: string) => void): AsyncIterable<ReadBlock> {
    onDamage(this.damage);
  }

  async close(): Promise<void> {}
}

export function* digestsOf(...maps: readonly DigestMap[]): Iterable<Uint8Array> {
  for (const map of maps) {
    const digests = map.digests();
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) yield digests.subarray(at, at + DIGEST_BYTES);
  }
}
