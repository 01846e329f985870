/** Content IDs as keys of maps. */
import type { BlockId } from '../../core/model.ts';

export function hexOfId({ codec, digest: { buffer, byteOffset, length } }: BlockId): string {
  return `${codec} ${Buffer.from(buffer, byteOffset, length).toString('hex')}`;
}
