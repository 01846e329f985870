/** The last check of a CAR before it goes to a peer. */
import { open } from 'node:fs/promises';
import { ShardctlError } from '../core/errors.ts';
import { parseCid, sameDigest } from '../dag/cid.ts';
import { CAR_HEADER_BYTES, readCarHeader } from '../shard/car.ts';
import type { SealedShard } from './peer.ts';

/** Compares size and root; no block is read. @param path of the CAR, or of a copy of it @throws ShardctlError `DAMAGE` when they are not the shard's */
export async function checkCar(path: string, shard: SealedShard): Promise<void> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(CAR_HEADER_BYTES), 0, CAR_HEADER_BYTES, 0);
    const { digest } = readCarHeader(buffer.subarray(0, bytesRead));
    if (size === shard.carBytes && sameDigest(digest, parseCid(shard.cid).digest)) return;
  } finally {
    await handle.close();
  }
  throw new ShardctlError('DAMAGE', `${path} is not the complete CAR of ${shard.label} (${shard.cid})`);
}
