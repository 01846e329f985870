/**
 * Which entries of the tree `--include`, `--exclude` and `--exclude-from` leave out. Rules may be for directories alone (`dists/`), or match
 * what is in a directory and the directory itself (`dists/***`). What an entry is only its block says: it is read where a rule asks for it.
 */
import { type BlockId, type ByteString, DAG_PB, DIRECTORY, type EntryKind } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { readEntry, type TreeLink } from '../../read/tree/tree.ts';
import { BlocksAhead } from '../../restore/blocks-ahead.ts';

export interface LeftOutOptions {
  /** Undefined where there are no rules. */
  readonly excludes: ((path: ByteString, isDirectory: boolean) => boolean) | undefined;
  readonly blocks: Blocks;
  /** What an entry is, where that is known without its block. */
  readonly kindOf: (path: ByteString, id: BlockId) => EntryKind | undefined;
}

export class LeftOut {
  /** How many entries were left out, each of which may be a directory with others. */
  count = 0;
  readonly #options: LeftOutOptions;

  constructor(options: LeftOutOptions) {
    this.#options = options;
  }

  /**
   * @param links entries of the directory, in their order @param failed is told of an entry for which it cannot be found out
   * @returns those that are not left out
   */
  async others(
    directory: ByteString,
    links: readonly TreeLink[],
    failed: (link: TreeLink, error: unknown) => void,
  ): Promise<readonly TreeLink[]> {
    const { excludes, blocks, kindOf } = this.#options;
    if (excludes === undefined) return links;
    const answers = links.map((link) => {
      const path = joinBytes(directory, link.name);
      const stays = { asFile: !excludes(path, false), asDirectory: !excludes(path, true) };
      // A raw leaf is a file.
      const isDecided = stays.asFile === stays.asDirectory || link.codec !== DAG_PB;
      const kind = isDecided ? undefined : kindOf(path, link);
      return { link, stays, kind, mustBeRead: !isDecided && kind === undefined };
    });
    const ahead = new BlocksAhead(blocks);
    ahead.expect(answers.filter(({ mustBeRead }) => mustBeRead).map(({ link }) => link.digest));
    const others: TreeLink[] = [];
    for (const { link, stays, kind, mustBeRead } of answers) {
      try {
        const its = mustBeRead ? (await readEntry(link, ahead)).kind : kind;
        if (its === DIRECTORY ? stays.asDirectory : stays.asFile) others.push(link);
        else this.count++;
      } catch (error) {
        failed(link, error);
      }
    }
    return others;
  }
}
