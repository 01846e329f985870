/** For tests: a source that is reached in each way that there is, whatever this system would take. */
import { linuxCalls } from '../core/libc.ts';
import type { ByteString } from '../core/model.ts';
import { makeLooker } from '../source/look.ts';
import { PathReach } from '../source/path-reach.ts';
import { openSource, type Source } from '../source/source.ts';

/** By openat2, by one open directory after the other, by paths that are looked at before and after. */
export const WAYS = ['one call', 'step by step', 'paths'] as const;
export type Way = (typeof WAYS)[number];

export function openBy(way: Way, path: ByteString): Source {
  const source = openSource(path, way === 'one call' ? linuxCalls() : undefined);
  if (way !== 'paths') return source;
  const reach = new PathReach(source.handle);
  return { ...source, reach, looker: makeLooker(reach) };
}
