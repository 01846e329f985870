/**
 * Mounting and unmounting: root by mount(2), everybody else by `fusermount3`, which has the right to mount for others and sends back the
 * open /dev/fuse over a socket.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { errnoName } from '../../core/errno.ts';
import { errnoOf, reasonOf, ShardctlError } from '../../core/errors.ts';
import type { FuseCalls } from '../../core/fuse-calls.ts';
import type { FileOwner } from '../protocol/replies.ts';
import { FILE_SYSTEM_TYPE } from './mount-point.ts';

export interface Mounting {
  readonly calls: FuseCalls;
  /** Without symlinks. */
  readonly path: string;
  /** What `df` and `mount` show as the source. */
  readonly source: string;
  /** Who mounts, and owns what is shown. */
  readonly owner: FileOwner;
  /** Whether others may look at it, too. */
  readonly allowOther: boolean;
  /** Where `fusermount3` is found. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const DEVICE = '/dev/fuse';
const SUBTYPE = 'shardctl';
/** MS_RDONLY, MS_NOSUID, MS_NODEV. */
const FLAGS = 1 | 2 | 4;
const [MNT_DETACH, UMOUNT_NOFOLLOW] = [2, 8];
const [EPERM, EBUSY] = [1, 16];
const WITHOUT_FUSE = 'docs/mount.md says how rclone mounts what `shardctl serve` serves';

/** @returns a descriptor of /dev/fuse, by which the mount is served @throws ShardctlError `USAGE` when it cannot be mounted here */
export async function mountOn(mounting: Mounting): Promise<number> {
  return mounting.owner.uid === 0 ? mountAsRoot(mounting) : await mountAsUser(mounting);
}

function mountAsRoot({ calls, path, source, owner: { uid, gid }, allowOther }: Mounting): number {
  const fd = openDevice();
  const options = [
    `fd=${fd}`,
    'rootmode=40000',
    `user_id=${uid}`,
    `group_id=${gid}`,
    'default_permissions',
    ...(allowOther ? ['allow_other'] : []),
  ];
  const result = calls.mount(source, path, FILE_SYSTEM_TYPE, FLAGS, options.join(','));
  if (result >= 0) return fd;
  closeSync(fd);
  if (result === -EPERM)
    throw refused(
      `this process may not mount on ${path}`,
      `in a container, mounting needs \`--device /dev/fuse --cap-add SYS_ADMIN\`; ${WITHOUT_FUSE}`,
    );
  throw refused(`cannot mount on ${path}: ${errnoName(-result)}`, WITHOUT_FUSE);
}

function openDevice(): number {
  try {
    return openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    const isMissing = ['ENOENT', 'ENODEV', 'ENXIO'].includes(errnoOf(error) ?? '');
    throw isMissing
      ? refused(`this machine has no ${DEVICE}`, `\`modprobe fuse\` loads it, as root; ${WITHOUT_FUSE}`)
      : refused(
          `cannot open ${DEVICE}: ${reasonOf(error)}`,
          `in a container, mounting needs \`--device /dev/fuse --cap-add SYS_ADMIN\`; ${WITHOUT_FUSE}`,
        );
  }
}

async function mountAsUser({ calls, path, source, allowOther, env }: Mounting): Promise<number> {
  const sockets = calls.socketPair();
  if (typeof sockets === 'number') throw new ShardctlError('IO', `making a pair of sockets failed: ${errnoName(-sockets)}`);
  const [ours, theirs] = sockets;
  try {
    // A comma ends an option, and a backslash keeps it.
    const name = source.replace(/[\\,]/g, '\\$&');
    const options = [
      'ro',
      'nosuid',
      'nodev',
      'default_permissions',
      `fsname=${name}`,
      `subtype=${SUBTYPE}`,
      ...(allowOther ? ['allow_other'] : []),
    ];
    const child = spawn('fusermount3', ['-o', options.join(','), '--', path], {
      env: { ...env, _FUSE_COMMFD: '3' },
      stdio: ['ignore', 'ignore', 'pipe', theirs],
    });
    const { code, said } = await endOf(child);
    const fd = calls.receiveDescriptor(ours);
    if (code === 0 && fd >= 0) return fd;
    throw refused(`cannot mount on ${path}: ${said.replace(/^fusermount3?: /gm, '') || `fusermount3 ended with ${code}`}`, hintFor(said));
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}

function hintFor(said: string): string {
  if (said.includes('user_allow_other')) return 'leave out --allow-other, or have root run `echo user_allow_other >> /etc/fuse.conf`';
  if (said.includes('modprobe fuse')) return `\`modprobe fuse\` loads it, as root; ${WITHOUT_FUSE}`;
  if (said.includes(DEVICE)) return `\`chmod 666 ${DEVICE}\`, as root, lets every user open it; ${WITHOUT_FUSE}`;
  return 'name an empty directory of yours';
}

/** @throws ShardctlError `USAGE` when it cannot be started */
async function endOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly said: string }> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text.slice(0, 4096 - said.length);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', (error) => {
      const isMissing = errnoOf(error) === 'ENOENT';
      reject(
        isMissing
          ? refused('there is no fusermount3, by which others than root mount', `\`apt install fuse3\` brings it; ${WITHOUT_FUSE}`)
          : refused(`cannot run fusermount3: ${reasonOf(error)}`, WITHOUT_FUSE),
      );
    });
  });
  return { code, said: said.trim() };
}

type Unmounting = Pick<Mounting, 'calls' | 'path' | 'owner' | 'env'>;

/** @returns whether it is unmounted: not while somebody is in it @throws ShardctlError `IO` */
export async function unmount({ calls, path, owner, env }: Unmounting): Promise<boolean> {
  if (owner.uid === 0) {
    const result = await calls.unmount(path, UMOUNT_NOFOLLOW);
    if (result >= 0) return true;
    if (result === -EBUSY) return false;
    throw new ShardctlError('IO', `cannot unmount ${path}: ${errnoName(-result)}`);
  }
  const { code, said } = await endOf(spawn('fusermount3', ['-u', '--', path], { env, stdio: ['ignore', 'ignore', 'pipe'] }));
  if (code === 0) return true;
  if (/busy/i.test(said)) return false;
  throw new ShardctlError('IO', `cannot unmount ${path}: ${said.replace(/^fusermount3?: /gm, '')}`);
}

/** Frees the directory at once. Those who are in it are told that nobody answers them as soon as the descriptor is closed. */
export function detach({ calls, path, owner, env }: Unmounting): void {
  if (owner.uid === 0) calls.unmountNow(path, MNT_DETACH | UMOUNT_NOFOLLOW);
  else spawnSync('fusermount3', ['-u', '-z', '--', path], { env, stdio: 'ignore' });
}

function refused(message: string, hint: string): ShardctlError {
  return new ShardctlError('USAGE', message, { hint });
}
