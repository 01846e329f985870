/** Small shards for tests, made with the program's own framing. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BlockId, DAG_PB, RAW } from '../core/model.ts';
import { cidText, sha256 } from '../dag/cid.ts';
import type { SealedShard } from '../peer/peer.ts';
import { carHeader, sectionHeaderBytes, writeSectionHeader } from '../shard/car.ts';
import { ManifestBuilder } from '../shard/manifest.ts';

export interface TestShard extends SealedShard {
  readonly root: BlockId;
  /** The blocks, in shard order. */
  readonly data: readonly Uint8Array[];
}

/** Seals the blocks into `<dir>/<cid>.car`. No block may come twice. @param links most links of its manifest's nodes */
export function makeShard(dir: string, data: readonly Uint8Array[], links?: number): TestShard {
  const manifest = new ManifestBuilder(links);
  const sections: Buffer[] = [];
  for (const block of data) {
    const digest = sha256(block);
    manifest.add(digest, 0, block.length);
    sections.push(section(RAW, digest, block));
  }
  const root = manifest.finish((block, digest) => void sections.push(section(DAG_PB, digest, block)));
  const car = Buffer.concat([carHeader(root), ...sections]);
  const cid = cidText(root, 1);
  const carPath = join(dir, `${cid}.car`);
  writeFileSync(carPath, car);
  const bytes = data.reduce((sum, block) => sum + block.length, 0);
  return { root, cid, label: 'test shard', bytes, blocks: data.length, carPath, carBytes: car.length, data };
}

/** One block of the shard, by its place. */
export function blockOf({ data }: TestShard, at: number): Uint8Array {
  const block = data[at];
  if (block === undefined) throw new Error(`the shard has ${data.length} blocks, and none at ${at}`);
  return block;
}

/** `count` different blocks of up to `most` bytes, the same for the same seed; their sizes vary. */
export function makeBlocks(count: number, most: number, seed = 1): Buffer[] {
  let state = seed >>> 0 || 1;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return Array.from({ length: count }, (_, index) => {
    const block = Buffer.alloc(8 + (random() % Math.max(1, most - 8)), random() & 0xff);
    block.writeUInt32LE(seed, 0);
    block.writeUInt32LE(index, 4);
    return block;
  });
}

function section(codec: typeof RAW | typeof DAG_PB, digest: Uint8Array, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(sectionHeaderBytes(data.length) + data.length);
  bytes.set(data, writeSectionHeader(bytes, 0, codec, digest, 0, data.length));
  return bytes;
}
