/** Where `get` puts what it is asked for: by the habits of cp, but that a whole directory becomes OUT itself. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { displayPath, displayText, shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type ByteString, FILE } from '../../core/model.ts';
import { partsOf } from '../../core/path-bytes.ts';
import { resolve } from '../../read/tree/tree.ts';
import type { Absolute } from '../command-line/surroundings.ts';
import type { OpenTree } from './open-tree.ts';

export interface GetPlace {
  readonly tree: OpenTree;
  /** Absolute path of what is made of it. */
  readonly out: string;
  /** The same, as people are told of it. */
  readonly shown: string;
}

/**
 * A tree, or a directory of one, becomes OUT. It is put into OUT, by its name, where OUT ends in a slash, or where there are several; and
 * so is a file, into a directory that is there.
 * @throws ShardctlError `USAGE` when two would have one name
 */
export async function placesOf(trees: readonly OpenTree[], target: string, absolute: Absolute): Promise<readonly GetPlace[]> {
  const [only, ...others] = trees;
  if (only !== undefined && others.length === 0) return [await placeOf(only, target, absolute)];
  assertNamesDiffer(trees, displayPath(Buffer.from(target).toString('latin1')));
  return trees.map((tree) => within(tree, target, absolute));
}

/** @param where they are put side by side, as people are told of it @throws ShardctlError `USAGE` when two would have one name */
export function assertNamesDiffer(trees: readonly OpenTree[], where: string): void {
  const names = trees.map(nameOf);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice === undefined) return;
  throw new ShardctlError('USAGE', `two of these would be called "${displayPath(twice)}" in ${where}`, {
    hint: 'write them to directories of their own',
  });
}

/** What an entry is called beside others: by its path, and a whole tree by its reference. */
export function nameOf({ path, ref }: Pick<OpenTree, 'path' | 'ref'>): ByteString {
  return path === '' ? Buffer.from(ref).toString('latin1') : partsOf(path).name;
}

async function placeOf(tree: OpenTree, target: string, absolute: Absolute): Promise<GetPlace> {
  const itself = { tree, out: absolute(target), shown: displayText(target) };
  if (tree.path === '') return itself;
  if (target.endsWith('/')) return within(tree, target, absolute);
  if (statSync(itself.out, { throwIfNoEntry: false })?.isDirectory() !== true) return itself;
  const { kind } = await resolve(tree.root, tree.path, tree.blocks);
  return kind === FILE ? within(tree, target, absolute) : itself;
}

function within(tree: OpenTree, target: string, absolute: Absolute): GetPlace {
  // From the command line, and so UTF-8.
  const name = Buffer.from(nameOf(tree), 'latin1').toString();
  return { tree, out: join(absolute(target), name), shown: shellWord(displayText(join(target, name))) };
}
