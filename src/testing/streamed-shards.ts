/** For tests: shards in CAR files that can be read as streams. */
import { readFileSync } from 'node:fs';
import { ShardctlError } from '../core/errors.ts';
import { DAG_PB } from '../core/model.ts';
import { parseCid, sha256 } from '../dag/cid.ts';
import type { ShardStream } from '../restore/shard-stream.ts';
import type { ShardAccess } from '../restore/shard-tables.ts';
import { CAR_HEADER_BYTES, SectionCursor } from '../shard/car.ts';
import { contentsOf, readManifest } from '../shard/manifest.ts';
import type { TestShard } from './shards.ts';

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Shards as the streams of CAR files, by the blocks that they hold. */
export class StreamedShards implements ShardAccess {
  readonly #shards: readonly TestShard[];
  readonly #shardOf = new Map<string, string>();
  /** Shards of which nothing can be read but single blocks. */
  readonly withoutStream = new Set<string>();

  constructor(shards: readonly TestShard[]) {
    this.#shards = shards;
    for (const { cid, data } of shards) for (const block of data) this.#shardOf.set(hex(sha256(block)), cid);
  }

  shardOf(digest: Uint8Array): string | undefined {
    return this.#shardOf.get(hex(digest));
  }

  async contents(cid: string) {
    const shard = this.#named(cid);
    const nodes = nodesIn(readFileSync(shard.carPath));
    return contentsOf(await readManifest(parseCid(cid), (digest) => nodes.get(hex(digest))));
  }

  async streams(cid: string): Promise<readonly ShardStream[]> {
    return this.withoutStream.has(cid) ? [] : [{ form: 'car', path: this.#named(cid).carPath } as const];
  }

  #named(cid: string): TestShard {
    const shard = this.#shards.find((candidate) => candidate.cid === cid);
    if (shard === undefined) throw new ShardctlError('TOO_FEW_PEERS', `no shard ${cid}`);
    return shard;
  }
}

function nodesIn(car: Buffer): Map<string, Buffer> {
  const nodes = new Map<string, Buffer>();
  const cursor = new SectionCursor(car, CAR_HEADER_BYTES);
  while (cursor.next()) {
    if (cursor.codec === DAG_PB) nodes.set(hex(car.subarray(cursor.digestAt, cursor.dataAt)), car.subarray(cursor.dataAt, cursor.end));
  }
  return nodes;
}
