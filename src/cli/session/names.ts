/** The names of a home's repositories and peers, for completion: from two small files, without settings, index or lock. Only snapshots need the index. */
import { readFileSync } from 'node:fs';
import { type Config, peerNames } from '../../home/config.ts';
import { repositoriesWithHeads } from '../../home/heads.ts';
import type { HomePaths } from '../../home/home.ts';
import type { Names } from '../command-line/completion.ts';

/** @param home asked only when names are wanted */
export function namesIn(home: () => HomePaths): Names {
  return {
    repositories: () => orNone(() => repositoriesWithHeads(home().heads)),
    snapshots: async (repository) => {
      try {
        const { Index } = await import('../../index/index.ts');
        const index = await Index.open(home().index, { readOnly: true });
        const newestFirst = index.snapshots(repository).toReversed();
        const tags = Object.keys(index.repository(repository)?.tags ?? {}).sort();
        await index.close();
        return [...tags, ...newestFirst.map(({ number }) => String(number)), ...new Set(newestFirst.map(({ time }) => time.slice(0, 10)))];
      } catch {
        return [];
      }
    },
    // Unchecked, as nothing comes of a wrong one: loading zod would make every TAB 60 ms slower.
    peers: () => orNone(() => (JSON.parse(readFileSync(home().config, 'utf8')) as Config).peers.flatMap(peerNames)),
  };
}

/** A home that is not there, or cannot be read, has no names to complete. */
function orNone(names: () => string[]): string[] {
  try {
    return names();
  } catch {
    return [];
  }
}
