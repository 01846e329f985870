/** Division of the shards into parts, so that a daily run reads one and has read everything when each part had its turn. */
import { parseCid } from '../dag/cid.ts';

/** A shard is always in the same of so many parts, whatever others there are, as in restic. @param nth from 0 */
export function isInPart(cid: string, nth: number, parts: number): boolean {
  return Buffer.from(parseCid(cid).digest).readUInt32BE() % parts === nth;
}
