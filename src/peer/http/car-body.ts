/** A CAR as the one part of a multipart body: `dag/import` of Kubo and `/add` of IPFS Cluster take it so. */
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { ioError, ShardctlError } from '../../core/errors.ts';
import { checkCar } from '../car-check.ts';
import type { SealedShard, Throttle } from '../peer.ts';

/** Pieces in which a CAR is read: one is in memory. Smaller ones under a limit, so that they fill a slow line evenly. */
const PIECE_BYTES = 1024 * 1024;
const THROTTLED_PIECE_BYTES = 64 * 1024;

export interface CarBody {
  readonly contentType: string;
  readonly bytes: number;
  /** Begins anew with each call. */
  readonly body: () => AsyncIterable<Uint8Array>;
}

/**
 * The CAR of the shard, read piece by piece.
 * @throws ShardctlError `DAMAGE` when the file is not the complete CAR of this shard
 */
export async function shardBody(shard: SealedShard, throttle: Throttle | undefined): Promise<CarBody> {
  await checkCar(shard.carPath, shard);
  return multipart(`${shard.cid}.car`, shard.carBytes, () => piecesOf(shard, throttle));
}

/** A CAR in memory. */
export function bufferBody(car: Uint8Array): CarBody {
  return multipart('shard.car', car.length, async function* () {
    yield car;
  });
}

/** @param fileName is kept nowhere; logs of proxies show which shard is sent */
function multipart(fileName: string, bytes: number, content: () => AsyncIterable<Uint8Array>): CarBody {
  const boundary = `shardctl-${randomUUID()}`;
  const head = Buffer.from(
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${fileName}"\r\ncontent-type: application/vnd.ipld.car\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    bytes: head.length + bytes + tail.length,
    async *body() {
      yield head;
      yield* content();
      yield tail;
    },
  };
}

async function* piecesOf(shard: SealedShard, throttle: Throttle | undefined): AsyncIterable<Uint8Array> {
  const { carPath, label, carBytes } = shard;
  const failed = (error: unknown) => {
    throw ioError(error, `reading ${label}`, carPath);
  };
  const handle = await open(carPath, 'r').catch(failed);
  try {
    for (let at = 0; at < carBytes; ) {
      const length = Math.min(throttle === undefined ? PIECE_BYTES : THROTTLED_PIECE_BYTES, carBytes - at);
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, at).catch(failed);
      if (bytesRead === 0) throw new ShardctlError('DAMAGE', `the CAR of ${label} ends after ${at} of ${carBytes} bytes (${carPath})`);
      at += bytesRead;
      await throttle?.(bytesRead);
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}
