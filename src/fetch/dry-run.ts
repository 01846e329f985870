/** What a run with `--dry-run` tells: what would come, and what would become of each entry of OUT. */
import type { Emit } from '../core/events.ts';
import { type ByteString, DIRECTORY, FILE } from '../core/model.ts';
import { joinBytes } from '../core/path-bytes.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { readEntry, type TreeEntry, type TreeLink } from '../read/tree/tree.ts';
import { BlocksAhead } from '../restore/blocks-ahead.ts';
import { changedCode, changeOf, newCode } from '../update/itemize.ts';
import type { OutDirectory } from './out/out-directory.ts';
import { lookAt, placeIn } from './out/places.ts';
import type { Reuse } from './reuse/reuse.ts';

export interface DryRunOptions {
  readonly out: OutDirectory;
  readonly blocks: Blocks;
  /** Tell of each change. */
  readonly itemize: boolean;
  readonly emit: Emit;
}

export class DryRun {
  /** Files and symlinks that would come, and the bytes of these files. */
  entries = 0;
  bytes = 0;
  readonly #options: DryRunOptions;

  constructor(options: DryRunOptions) {
    this.#options = options;
  }

  /**
   * @param links of a directory of the tree @param coming those of them that OUT lacks
   * @returns directories among these, because what is in them is told of, too. Throws what reading the root of an entry throws
   */
  async descended(directory: ByteString, links: readonly TreeLink[], coming: readonly TreeLink[], reuse: Reuse): Promise<TreeLink[]> {
    const { itemize, emit, blocks } = this.#options;
    const wanted = new Set(coming);
    const ahead = new BlocksAhead(blocks);
    ahead.expect(coming.map(({ digest }) => digest));
    const descended: TreeLink[] = [];
    for (const link of links) {
      const at = joinBytes(directory, link.name);
      if (!wanted.has(link)) {
        if (itemize && reuse.staged.has(at)) emit({ type: 'change', ...changeOf(newCode(FILE), at, FILE) });
        continue;
      }
      const entry = await readEntry(link, ahead);
      this.#tellOf(at, entry);
      if (entry.kind === DIRECTORY) descended.push(link);
      else {
        this.entries++;
        if (entry.kind === FILE) this.bytes += entry.size;
      }
    }
    return descended;
  }

  /** Of a directory that is there, what is in it is told of. */
  #tellOf(at: ByteString, { kind, size, mode, mtimeNs }: TreeEntry): void {
    const { itemize, emit, out } = this.#options;
    if (!itemize) return;
    const before = lookAt(placeIn(out.top, at));
    if (kind === DIRECTORY && before?.isDirectory() === true) return;
    const is = (one: bigint | undefined, other: bigint | undefined) => one !== undefined && one === other;
    const code =
      before === undefined || before.isDirectory()
        ? newCode(kind)
        : changedCode(
            kind,
            {
              ...{ content: 'unknown', size: before.size !== BigInt(size), mtime: mtimeNs !== undefined && !is(before.mtimeNs, mtimeNs) },
              mode: mode !== undefined && (Number(before.mode) & 0o7777) !== mode,
            },
            true,
          );
    emit({ type: 'change', ...changeOf(code, at, kind) });
  }
}
