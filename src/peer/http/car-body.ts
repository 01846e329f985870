/** A CAR as the one part of a multipart body, which is what `/add` takes. */
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { ioError, ShardctlError } from '../../core/errors.ts';
import { checkCar } from '../car-check.ts';
import type { SealedShard, Throttle } from '../peer.ts';

const PIECE_BYTES = 1024 * 1024;

export interface CarBody {
  readonly contentType: string;
  readonly bytes: number;
  readonly body: () => AsyncIterable<Uint8Array>;
}

/**
 * The CAR of the shard, read piece by piece.
 * @throws ShardctlError `DAMAGE` when the file is not the complete CAR of this shard
 */
export async function shardBody(shard: SealedShard, throttle: Throttle | undefined): Promise<CarBody> {
  await checkCar(shard.carPath, shard);
  return multipart(shard.carBytes, () => piecesOf(shard, throttle));
}

/** A CAR in memory. */
export function bufferBody(car: Uint8Array): CarBody {
  return multipart(car.length, async function* () {
    yield car;
  });
}

function multipart(bytes: number, content: () => AsyncIterable<Uint8Array>): CarBody {
  const boundary = `shardctl-${randomUUID()}`;
  const head = Buffer.from(
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="shard.car"\r\ncontent-type: application/vnd.ipld.car\r\n\r\n`,
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

async function* piecesOf({ carPath, label, carBytes }: SealedShard, throttle: Throttle | undefined): AsyncIterable<Uint8Array> {
  const handle = await open(carPath, 'r').catch((error: unknown) => {
    throw ioError(error, `reading ${label}`, carPath);
  });
  try {
    for (let at = 0; at < carBytes; ) {
      const length = Math.min(PIECE_BYTES, carBytes - at);
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, at);
      if (bytesRead === 0) throw new ShardctlError('DAMAGE', `the CAR of ${label} ends after ${at} of ${carBytes} bytes (${carPath})`);
      at += bytesRead;
      await throttle?.(bytesRead);
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}
