/** Reads the manifests of shards from gateways, several nodes at once. */
import { type BlockId, DAG_PB, RAW } from '../core/model.ts';
import { nodeLinks } from '../dag/node-links.ts';
import { decodeNode } from '../dag/node-reader.ts';
import { type Manifest, readManifest } from '../shard/manifest.ts';
import type { Gateways, Trail } from './gateways.ts';

/** Nodes of one manifest that are asked for ahead. */
const AHEAD = 16;

/**
 * @param shard root of the shard
 * @throws ShardctlError `DAMAGE` when it is not the manifest of a shard, `TOO_FEW_PEERS` when no gateway gives a node of it
 */
export async function manifestOf(gateways: Gateways, shard: BlockId): Promise<Manifest> {
  /** Nodes that are on their way, by their digest. */
  const coming = new Map<string, Promise<Buffer>>();
  /** Nodes that will be asked for, the next one last. */
  const next: Uint8Array[] = [];
  const trail: Trail = {};
  const fetch = (digest: Uint8Array): Promise<Buffer> => {
    const key = Buffer.from(digest).toString('latin1');
    const found = coming.get(key);
    if (found !== undefined) return found;
    const block = gateways.block({ codec: DAG_PB, digest }, trail);
    // Who asks for it hears of its failure; if nobody does, nobody needs it.
    block.catch(() => {});
    coming.set(key, block);
    return block;
  };
  return await readManifest(shard, async (digest) => {
    const block = await fetch(digest);
    coming.delete(Buffer.from(digest).toString('latin1'));
    // A manifest is balanced: a node has nodes below it, or blocks. Most have blocks, which are looked at by whoever reads the manifest.
    const [first] = nodeLinks(block);
    if (first !== undefined && first.cid.codec !== RAW)
      for (const { codec, digest: child } of decodeNode(block).links.toReversed()) if (codec !== RAW) next.push(child);
    while (coming.size < AHEAD) {
      const ahead = next.pop();
      if (ahead === undefined) break;
      void fetch(ahead);
    }
    return block;
  });
}
