/**
 * What root need not do: an ordinary user mounts by `fusermount3`. In a mount namespace of its own, in which everybody may open /dev/fuse,
 * as on most machines.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { onlyInAll } from '../testing/depth.ts';
import { withoutMounts } from '../testing/mount-process.ts';
import { without } from '../testing/package-tools/required.ts';
import { BIN, Program } from '../testing/program.ts';

const NOBODY = 65534;
const AS_USER = ['setpriv', '--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups'];
const SKIP = onlyInAll(withoutMounts() || without('fusermount3', 'fusermount3', 'unshare', 'setpriv', 'mknod') || unreadable());

/** A checkout in a home directory that only its owner may enter. */
function unreadable(): string | false {
  const [command = '', ...args] = asUser(`test -r '${BIN}' -a -x '${process.execPath}'`);
  return spawnSync(command, args).status === 0 ? false : 'the program may not be read by others here';
}

function asUser(script: string): string[] {
  return [...AS_USER, 'sh', '-c', script];
}

test('an ordinary user mounts, sees what is his, unmounts, and may not show it to others unless root has said so', {
  skip: SKIP,
}, async (t) => {
  const program = new Program();
  t.after(() => program.dispose());
  const dir = program.dir;
  chmodSync(dir, 0o755);
  chownSync(dir, NOBODY, NOBODY);
  mkdirSync(program.path('mirror'));
  writeFileSync(program.path('mirror', 'file'), 'content', { mode: 0o600 });
  for (const path of ['mirror', 'mirror/file']) chownSync(program.path(path), NOBODY, NOBODY);
  mkdirSync(program.path('mount'));
  chownSync(program.path('mount'), NOBODY, NOBODY);
  assert.equal(spawnSync('mknod', [program.path('fuse'), 'c', '10', '229']).status, 0);
  chmodSync(program.path('fuse'), 0o666);
  const shardctl = `'${process.execPath}' '${BIN}'`;
  const script = `
    cd '${dir}'; ${shardctl} add mirror -q || exit 9
    ${shardctl} mount mirror mount --allow-other 2>refused && exit 8
    ${shardctl} mount mirror mount & mount=$!
    until grep -q '${dir}/mount fuse.shardctl' /proc/mounts; do sleep 0.1; done
    cat mount/file; stat -c ' %u %g %a' mount/file
    kill -TERM $mount; wait $mount; echo "ended $?"; ls mount; grep -c '${dir}/mount fuse.shardctl' /proc/mounts; cat refused`;
  const [command = '', ...args] = asUser(script);
  const inNamespace = [
    '-m',
    'sh',
    '-c',
    `mount --bind '${program.path('fuse')}' /dev/fuse && mount --bind /dev/null /etc/fuse.conf && exec "$@"`,
    'sh',
    command,
    ...args,
  ];
  const child = spawnSync('unshare', inNamespace, {
    cwd: dir,
    env: { ...process.env, HOME: dir, SHARDCTL_HOME: program.home },
    encoding: 'utf8',
  });
  assert.equal(
    child.stdout.replace(/shardctl: cannot mount on [^:]*: /, ''),
    [
      `content ${NOBODY} ${NOBODY} 600`,
      'ended 0',
      '0',
      "option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf; leave out --allow-other, or have root run `echo user_allow_other >> /etc/fuse.conf`",
      '',
    ].join('\n'),
    child.stderr,
  );
});

/** What `shardctl mount` says in a mount namespace of its own, with these devices alone. @param as a command in front @param path where programs are found */
function refusal(program: Program, fuse: string, as: readonly string[], path = process.env.PATH ?? ''): string {
  const nodes = ['null 3', 'zero 5', 'random 8', 'urandom 9'].map(
    (node) => `mknod -m 666 '${program.path('dev')}'/${node.replace(' ', ' c 1 ')}`,
  );
  const script = `mount -t tmpfs tmpfs '${program.path('dev')}' && ${nodes.join(' && ')} && mount --move '${program.path('dev')}' /dev
    ${fuse}
    PATH='${path}'; exec "$@"`;
  const setpriv = spawnSync('sh', ['-c', 'command -v setpriv'], { encoding: 'utf8' }).stdout.trim();
  const words = ['sh', setpriv, ...as, process.execPath, BIN, 'mount', 'mirror', program.path('mount')];
  const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, ...words], {
    cwd: program.dir,
    env: { ...process.env, HOME: program.dir, SHARDCTL_HOME: program.home },
    encoding: 'utf8',
  });
  assert.equal(status, 2, stderr);
  return stderr;
}

test('who cannot mount here is told why, and what helps', { skip: SKIP }, (t) => {
  const program = new Program();
  t.after(() => program.dispose());
  for (const name of ['mirror', 'mount', 'dev']) mkdirSync(program.path(name));
  program.succeeds('add', 'mirror', '-q');
  const user = AS_USER.slice(1);
  assert.match(refusal(program, '', ['--clear-groups']), /no \/dev\/fuse; `modprobe fuse`.*docs\/mount\.md/);
  const without = ['--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin'];
  assert.match(refusal(program, 'mknod -m 666 /dev/fuse c 10 229', without), /may not mount .*`--device \/dev\/fuse --cap-add SYS_ADMIN`/);
  spawnSync('chown', ['-R', `${NOBODY}`, program.dir]);
  assert.match(refusal(program, '', user), /`modprobe fuse` loads it/);
  assert.match(refusal(program, 'mknod -m 600 /dev/fuse c 10 229', user), /`chmod 666 \/dev\/fuse`/);
  assert.match(refusal(program, 'mknod -m 666 /dev/fuse c 10 229', user, '/nowhere'), /no fusermount3.*`apt install fuse3`/);
});
