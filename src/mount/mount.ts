/** Mounts a tree, serves it, and unmounts it. */
import { closeSync } from 'node:fs';
import { ShardctlError } from '../core/errors.ts';
import { fuseCalls } from '../core/fuse-calls.ts';
import type { BlockId } from '../core/model.ts';
import { Device } from './channel/device.ts';
import { freeMountPoint, processesIn, type UsingProcess } from './channel/mount-point.ts';
import { detach, type Mounting, mountOn, unmount } from './channel/mounting.ts';
import { Session, type SessionOptions } from './session.ts';
import { MountedTree, type MountedTreeOptions } from './tree/mounted-tree.ts';

export interface MountOptions
  extends MountedTreeOptions,
    Pick<Mounting, 'source' | 'owner' | 'allowOther' | 'env'>,
    Pick<SessionOptions, 'changes' | 'totals' | 'onTrouble'> {
  /** A directory of the home's. */
  readonly root: BlockId;
  /** Where it is mounted: an empty directory. */
  readonly dir: string;
}

export interface Mount {
  /** Resolves when nothing is mounted any more, whoever has unmounted it. @throws ShardctlError `IO` */
  readonly ended: Promise<void>;
  /** Shows another tree. Only where `changes` is set. */
  show(root: BlockId): Promise<void>;
  /** @returns those who were in it, and cannot read it any more */
  unmount(): Promise<readonly UsingProcess[]>;
  /** For a process that ends now: frees the directory. */
  abandon(): void;
}

/**
 * Resolves when it is mounted and answers.
 * @throws ShardctlError `USAGE` when it cannot be mounted here, `NOT_FOUND` when there is no such directory; what reading the root throws
 */
export async function mountTree(options: MountOptions): Promise<Mount> {
  const calls = fuseCalls();
  if (calls === undefined)
    throw new ShardctlError('USAGE', 'trees can be mounted on Linux only, on machines of 64 bits for which there is koffi', {
      hint: 'docs/mount.md says how rclone mounts what `shardctl serve` serves',
    });
  const { dir, source, owner, allowOther, env, root } = options;
  const path = freeMountPoint(dir);
  const tree = await MountedTree.open(root, options);
  const mounting = { calls, path, source, owner, allowOther, env };
  const device = new Device(calls, await mountOn(mounting), closeSync);
  let ready = () => {};
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const session = new Session({ ...options, device, tree, onReady: () => ready() });
  let isMounted = true;
  const ended = device
    .run((request) => session.take(request))
    .finally(() => {
      isMounted = false;
      device.close();
    });
  const abandon = () => {
    device.stop();
    if (isMounted) detach(mounting);
    isMounted = false;
  };
  await Promise.race([
    isReady,
    ended.then(() => {
      throw new ShardctlError('IO', `${path} was unmounted before the kernel had asked anything`);
    }),
  ]).catch((error: unknown) => {
    abandon();
    throw error;
  });
  return {
    ended,
    show: (root) => session.show(root),
    abandon,
    unmount: async () => {
      if (!isMounted || (await unmount(mounting))) return [];
      const users = processesIn(path);
      abandon();
      return users;
    },
  };
}
