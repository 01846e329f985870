/** `get -o -`: the bytes of a file, or trees as one tar, for another program. */
import { FetchDirectoryLeftOut } from '../../core/fetch-directory.ts';
import { FILE } from '../../core/model.ts';
import { partsOf } from '../../core/path-bytes.ts';
import { type TarPart, treeTar } from '../../exchange/tree-tar/tree-tar.ts';
import { cat } from '../../read/cat.ts';
import { resolve } from '../../read/tree/tree.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { assertNamesDiffer, nameOf } from './get-places.ts';
import type { OpenTree } from './open-tree.ts';

export async function toStdout(
  { args, json, output, reporter, signal }: Context,
  trees: readonly OpenTree[],
  excludes: TarPart['excludes'],
): Promise<number> {
  if (json) throw usage('--json cannot be combined with bytes on stdout', args.command);
  if (args.flag('overwrite')) throw usage('--overwrite is for files: stdout is written to as it is', args.command);
  const specialBits = args.flag('special-bits');
  for await (const bytes of await bytesOf()) {
    await output.bytes(bytes);
    if (output.closed) break;
  }
  return await output.exitOfBytes();

  async function bytesOf(): Promise<AsyncGenerator<Uint8Array>> {
    const [only, ...others] = trees;
    if (only === undefined) throw new Error('get needs a tree');
    const isAlone = others.length === 0;
    if (isAlone && (await resolve(only.root, only.path, only.blocks)).kind === FILE) {
      const ofTrees = (['exclude', 'include', 'exclude-from', 'special-bits'] as const).find((name) => args.flag(name));
      if (ofTrees !== undefined)
        throw usage(`--${ofTrees} is for a tree, and this is a file, of which the bytes alone are written`, args.command);
      return cat({ ...only, signal });
    }
    if (output.isTerminal) throw usage('a tar is not for a terminal: send it to a file or a program', args.command);
    assertNamesDiffer(trees, 'the tar');
    const leftOut = new FetchDirectoryLeftOut((message) => reporter.event({ type: 'warning', message }));
    const parts = trees.map((tree) => ({
      ...tree,
      name: isAlone && tree.path === '' ? '' : nameOf(tree),
      specialBits: specialBits || tree.isOwn,
      excludes: ((path, isDirectory) =>
        leftOut.has(partsOf(path).name) || excludes?.(path, isDirectory) === true) satisfies TarPart['excludes'],
    }));
    return treeTar(parts, signal);
  }
}
