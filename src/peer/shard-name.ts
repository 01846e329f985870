/** The CID of a shard as a file name. */
import { ShardctlError } from '../core/errors.ts';

/** CIDv1, dag-pb, sha2-256, base32. The CID may come from a stranger's snapshot, so no other text may become a path. */
const SHARD_CID = /^bafybei[a-z2-7]{52}$/;

/** The CID itself, safe as a file name. Throws `USAGE` when the text is not the CID of a shard. */
export function shardName(cid: string): string {
  if (!SHARD_CID.test(cid)) throw new ShardctlError('USAGE', `"${cid}" is not the CID of a shard`);
  return cid;
}

export function isShardName(name: string): boolean {
  return SHARD_CID.test(name);
}
