/** How a home gets the index that it lacks. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasHeads } from '../../home/heads.ts';

/** @param dir of the index, which is there where a run has begun to make it */
export function howToMake(dir: string): string {
  // A home that has heads had an index.
  if (hasHeads(join(dirname(dir), 'heads')))
    return 'run `shardctl recover --all`: it makes a new one, with every snapshot that its peers hold';
  return `run \`shardctl add DIR\` ${existsSync(dir) ? 'again' : 'first'}`;
}
