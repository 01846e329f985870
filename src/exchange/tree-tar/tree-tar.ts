/** `get -o -`: trees, and parts of them, as one tar on its way to another program. Streams, and holds what a walk holds. */
import { type BlockId, type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { dataOf } from '../../read/tree/file-data.ts';
import { Repetition } from '../../read/tree/repetition.ts';
import { readEntry, resolve } from '../../read/tree/tree.ts';
import { type EntryFacts, factsOf, walkTree } from '../../read/tree/tree-walk.ts';
import { paddingAfter, TAR_BLOCK_BYTES, tarHeader } from './header.ts';

/** Small pieces are gathered into writes of this size. */
const WRITE_BYTES = 256 * 1024;
const ORDINARY_BITS = 0o777;

/** One tree, or one entry of it, and what it is called in the tar. */
export interface TarPart {
  readonly root: BlockId;
  /** Inside the tree; empty for all of it. */
  readonly path: ByteString;
  /** Empty for what is in a directory without the directory itself. */
  readonly name: ByteString;
  readonly blocks: Blocks;
  /** See `GetOptions`. */
  readonly isOwn: boolean;
  readonly specialBits: boolean;
  /** What is left out, by paths from `path` on; absent where nothing is. */
  readonly excludes?: ((path: ByteString, isDirectory: boolean) => boolean) | undefined;
}

/**
 * @throws ShardctlError `DAMAGE` or `TOO_FEW_PEERS` at the first block that cannot be read: what was given until then is a tar that ends
 * too early. tar notices that inside a file; between two it takes the end for the end, and the exit code of `get` alone tells
 */
export async function* treeTar(parts: readonly TarPart[], signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    for await (const piece of partTar(part, signal)) {
      gathered.push(piece);
      bytes += piece.length;
      if (bytes < WRITE_BYTES) continue;
      yield Buffer.concat(gathered);
      [gathered, bytes] = [[], 0];
    }
  }
  yield Buffer.concat([...gathered, Buffer.alloc(2 * TAR_BLOCK_BYTES)]);
}

async function* partTar(part: TarPart, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  const { root, path, name, blocks, isOwn, excludes } = part;
  const repetition = isOwn ? undefined : new Repetition();
  const top = await resolve(root, path, blocks);
  if (name !== '') yield* entryTar(factsOf(top), name, part, repetition);
  if (top.kind !== DIRECTORY) return;
  const isOut = (at: ByteString, isDirectory: boolean) => excludes?.(at, isDirectory) === true;
  const enters = ({ path: at }: { readonly path: ByteString }) => !isOut(at, true);
  for await (const entry of walkTree(top, { blocks, signal, isOwn, enters })) {
    if (!isOut(entry.path, entry.kind === DIRECTORY)) yield* entryTar(entry, joinBytes(name, entry.path), part, repetition);
  }
}

async function* entryTar(
  entry: EntryFacts,
  path: ByteString,
  { blocks, specialBits }: TarPart,
  repetition: Repetition | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const { kind, size, mtimeNs, target } = entry;
  const mode = entry.mode === undefined || specialBits ? entry.mode : entry.mode & ORDINARY_BITS;
  yield tarHeader({ path, kind, size, mode, mtimeNs, target });
  if (kind !== FILE) return;
  yield* dataOf(await readEntry(entry, blocks), blocks, repetition);
  yield paddingAfter(size);
}
