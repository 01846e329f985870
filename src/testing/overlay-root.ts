/** For tests: a root that has all of this machine's, in which a script may change and install what it likes; nothing of it stays. */
import { spawnSync } from 'node:child_process';
import { missing } from './package-tools/required.ts';

const SCRIPT = `
shared=$1 script=$2
mkdir -p "$shared/layers"
mount -t tmpfs tmpfs "$shared/layers"
cd "$shared/layers"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mkdir -p "root$shared"
mount --bind "$shared" "root$shared"
for dir in proc dev; do mount --rbind /$dir root/$dir; done
exec chroot root /bin/sh -euc "$script"`;

/**
 * @param shared a directory that the script sees at the same path, and what it writes there stays
 * @returns what it has printed. @throws with that when it ends with another code than 0
 */
export function inOverlayRoot(shared: string, script: string): string {
  // Without the settings of a service manager of this machine: none runs in there.
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-euc', SCRIPT, 'sh', shared, script], {
    cwd: '/',
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LANG: 'C.UTF-8', HOME: '/root', DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${script}\nended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** Why there can be none, for the `skip` of a test. Required as `overlay`. */
export function withoutOverlayRoot(): string | false {
  return missing('overlay', lacking());
}

function lacking(): string | undefined {
  if (process.getuid?.() !== 0) return 'user root';
  const probe = 'cd /mnt; mount -t tmpfs tmpfs .; cd /mnt; mkdir u w r; mount -t overlay o -o lowerdir=/,upperdir=u,workdir=w r';
  return spawnSync('unshare', ['--mount', 'sh', '-euc', probe]).status === 0 ? undefined : 'overlay of file systems';
}
