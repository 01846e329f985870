/** Reads the CAR of a shard front to back, a few megabytes of whole sections at a time. */
import { open } from 'node:fs/promises';
import { ShardctlError } from '../core/errors.ts';
import type { Codec } from '../core/model.ts';
import { CAR_HEADER_BYTES, readCarHeader, SectionCursor } from './car.ts';

/** More than the largest section, so that each window holds at least one. */
const WINDOW_BYTES = 4 * 1024 * 1024;

export interface Section {
  readonly codec: Codec;
  readonly digest: Uint8Array;
  readonly data: Uint8Array;
}

/** The sections of the CAR, several at a time; nothing is hashed. @throws ShardctlError `DAMAGE` when it is cut, or is not a shard's CAR */
export async function* sectionsOf(path: string): AsyncGenerator<Section[]> {
  const handle = await open(path, 'r');
  try {
    let at = CAR_HEADER_BYTES;
    readCarHeader((await handle.read(Buffer.alloc(CAR_HEADER_BYTES), 0, CAR_HEADER_BYTES, 0)).buffer);
    for (;;) {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(WINDOW_BYTES), 0, WINDOW_BYTES, at);
      if (bytesRead === 0) return;
      const cursor = new SectionCursor(buffer, 0, bytesRead);
      const sections: Section[] = [];
      while (cursor.next()) {
        sections.push({
          codec: cursor.codec,
          digest: buffer.subarray(cursor.digestAt, cursor.dataAt),
          data: buffer.subarray(cursor.dataAt, cursor.end),
        });
      }
      if (sections.length === 0) throw new ShardctlError('DAMAGE', `${path} ends within a section at offset ${at}`);
      at += cursor.end;
      yield sections;
    }
  } finally {
    await handle.close();
  }
}
