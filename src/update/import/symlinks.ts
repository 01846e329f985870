/** Symlinks are small and are never followed: the main thread reads their targets while workers read files. */
import { errnoOf, reasonOf } from '../../core/errors.ts';
import { type ByteString, DAG_PB, SYMLINK } from '../../core/model.ts';
import { encodeSymlink } from '../../dag/file-node.ts';
import { BatchBuilder } from '../../shard/batch.ts';
import { lookAgain } from '../../source/look.ts';
import { CHANGED, type Directory, NEW } from '../../walk/directory.ts';
import { giveUp, type ImportContext, metadataOf } from './context.ts';

/** Imports the new and changed symlinks of a directory; undefined when there are none. */
export function importSymlinks(context: ImportContext, directory: Directory): Buffer | undefined {
  let blocks: BatchBuilder | undefined;
  for (let i = 0; i < directory.count; i++) {
    if (directory.kinds[i] !== SYMLINK || (directory.states[i] !== NEW && directory.states[i] !== CHANGED)) continue;
    const target = readTarget(context, directory, i);
    if (target === undefined) continue;
    const block = encodeSymlink(target, metadataOf(context, directory, i));
    blocks ??= new BatchBuilder();
    directory.setRoot(i, DAG_PB, blocks.add(block), 0, block.length);
  }
  return blocks?.take();
}

function readTarget(context: ImportContext, directory: Directory, index: number): Buffer | undefined {
  try {
    return context.reach.readLink(directory.originOf(index));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    // EINVAL: it is no symlink any more, and the next run sees what it is; or its file system fails in a strange way.
    const isReplaced = errno === 'EINVAL' && !isSymlink(context, directory, index);
    giveUp(context, directory, index, { errno: isReplaced ? 'ENOENT' : errno, detail: reasonOf(error) });
    return undefined;
  }
}

function isSymlink({ reach }: ImportContext, { origin, names }: Directory, index: number): boolean {
  try {
    return lookAgain(reach, origin, names[index] as ByteString).isSymbolicLink();
  } catch {
    return false;
  }
}
