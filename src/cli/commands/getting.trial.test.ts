/** What `get` is asked for, and where it puts that. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, type TestContext, test } from 'node:test';
import { shellWord } from '../../core/display.ts';
import { oneIn, onlyInAll, sampled } from '../../testing/depth.ts';
import { BIN, Program } from '../../testing/program.ts';

const sample = oneIn(12);

let program: Program;
beforeEach(() => {
  program = new Program();
  for (const dir of ['m/pool/main', 'm/pool/old', 'm/dists']) mkdirSync(program.path(dir), { recursive: true });
  for (const file of ['m/pool/main/a.deb', 'm/pool/main/a.dsc', 'm/pool/old/b.deb', 'm/dists/Release'])
    writeFileSync(program.path(file), file);
  program.succeeds('add', 'm', '-q');
});
afterEach(() => program.dispose());

/** What is in the tar of these. */
function listed(...refs: string[]): string[] {
  const env = { ...process.env, SHARDCTL_HOME: program.home };
  const { stdout } = spawnSync('sh', ['-c', '"$@" | tar -tf -', 'sh', process.execPath, BIN, 'get', ...refs, '-o', '-'], {
    env,
    encoding: 'utf8',
  });
  return stdout.split('\n').slice(0, -1);
}

function got(name: string): string[] {
  return readdirSync(program.path(name), { recursive: true, encoding: 'utf8' }).sort();
}

test('several go into OUT by their names, and one is OUT itself, unless OUT ends in a slash', { skip: onlyInAll() }, () => {
  program.succeeds('get', 'm/pool/main', 'm@1/dists/Release', 'm@1', '-o', 'parts');
  assert.deepEqual(readdirSync(program.path('parts')).sort(), ['Release', 'm@1', 'main']);
  assert.equal(readFileSync(program.path('parts/m@1/dists/Release'), 'utf8'), 'm/dists/Release');
  program.succeeds('get', 'm/pool', '-o', 'itself');
  assert.deepEqual(readdirSync(program.path('itself')), ['main', 'old']);
  program.succeeds('get', 'm/pool', '-o', 'within/');
  assert.deepEqual(readdirSync(program.path('within')), ['pool']);
  program.succeeds('get', 'm/dists/Release', '-o', 'within');
  assert.deepEqual(readdirSync(program.path('within')).sort(), ['Release', 'pool'], 'a file goes into a directory that is there');
  program.fails(2, /not an empty directory; .*end it in a slash/, 'get', 'm/pool', '-o', 'within');
  program.fails(2, /within\/pool" is there already/, 'get', 'm/dists', 'm/pool', '-o', 'within');
  assert.deepEqual(readdirSync(program.path('within')).sort(), ['Release', 'pool'], 'all are looked at before the first is written');
  program.fails(2, /two of these would be called "pool" in twice/, 'get', 'm/pool', 'm@1/pool', '-o', 'twice');
  program.fails(2, /two of these would be called "pool" in the tar/, 'get', 'm/pool', 'm@1/pool', '-o', '-');
  assert.ok(!existsSync(program.path('twice')));
});

test("filters are rsync's: the first rule that matches wins, and what is excluded is not entered", { skip: sample() }, () => {
  program.succeeds('get', 'm', '-o', 'debs', '--exclude', '/pool/old', '--include', '*/', '--include', '*.deb', '--exclude', '*');
  assert.deepEqual(got('debs'), ['dists', 'pool', 'pool/main', 'pool/main/a.deb']);
  const { lines } = program.succeeds('get', 'm/pool', '-o', 'none', '--exclude', '*/', '--json');
  assert.equal((JSON.parse(lines.at(-2) as string) as { directories: number }).directories, 1);
  assert.deepEqual(got('none'), []);
});

test('a file goes to stdout as it is, and what is more as a tar', { skip: sample() }, () => {
  assert.equal(program.succeeds('get', 'm/dists/Release', '-o', '-').stdout, 'm/dists/Release');
  program.fails(2, /--exclude is for a tree/, 'get', 'm/dists/Release', '-o', '-', '--exclude', 'x');
  program.fails(2, /--overwrite is for files/, 'get', 'm', '-o', '-', '--overwrite');
  assert.deepEqual(listed('m', '--exclude', '/pool/main'), ['dists/', 'dists/Release', 'pool/', 'pool/old/', 'pool/old/b.deb']);
  assert.deepEqual(listed('m/dists', 'm@1/pool/old/b.deb'), ['dists/', 'dists/Release', 'b.deb']);
  program.fails(40, /no "none" in the tree/, 'get', 'm/none', '-o', '-');
});

test('what would do harm to a terminal is not written to one', { skip: sample() }, (t) => {
  const onTerminal = (...words: string[]) => {
    const command = [process.execPath, BIN, '--home', program.home, ...words].map(shellWord).join(' ');
    return spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8', input: '' });
  };
  const { error, stdout } = onTerminal('get', 'm', '-o', '-');
  if (error !== undefined) return t.skip('there is no `script` here');
  assert.match(stdout, /a tar is not for a terminal/);
  assert.match(onTerminal('export', 'm', '--car', '-').stdout, /a CAR is not for a terminal/);
  assert.match(onTerminal('get', 'm/dists/Release', '-o', '-').stdout, /^m\/dists\/Release/);
});

test('--delete brings OUT up to date, deletes no more than is allowed, and nothing that is left out', { skip: sample() }, () => {
  program.succeeds('get', 'm/pool', '-o', 'out');
  for (const name of ['old.log', 'main/more', 'main/still']) writeFileSync(program.path('out', name), '');
  program.fails(25, /3 of the 8 entries of OUT are not in the tree/, 'get', 'm/pool', '-o', 'out', '--delete', '--max-delete', '2');
  assert.match(program.succeeds('get', 'm/pool', '-o', 'out', '--delete', '-n', '--exclude', '*.log').stdout, /2 would be deleted/);
  assert.ok(existsSync(program.path('out/main/more')));
  program.succeeds('get', 'm/pool', '-o', 'out', '--delete', '--exclude', '*.log');
  assert.deepEqual(
    got('out').filter((name) => !name.startsWith('.shardctl')),
    ['main', 'main/a.deb', 'main/a.dsc', 'old', 'old.log', 'old/b.deb'],
  );
  program.fails(2, /--max-delete goes with --delete/, 'get', 'm', '-o', 'x', '--max-delete', '3');
  program.fails(2, /goes with one REF/, 'get', 'm', 'm@1', '-o', 'x', '--delete');
  program.fails(2, /name it without a slash/, 'get', 'm/pool', '-o', 'out/', '--delete', '--max-delete', 'none');
});

test('--delete never empties the home, a peer, or a source beside', { skip: sample() }, () => {
  mkdirSync(program.path('srv/n'), { recursive: true });
  for (let i = 0; i < 40; i++) writeFileSync(program.path('srv/n', `${i}`), '');
  program.succeeds('peers', 'add', 'local', 'srv/peer');
  program.succeeds('add', 'srv/n', '-q');
  symlinkSync('srv', program.path('link'));
  const refused = (out: string, why: RegExp) => {
    for (const more of sampled([['-n']], [[], ['-n'], ['--max-delete', 'none', '--exclude', '/*']])) {
      program.fails(2, why, 'get', 'n', '-o', out, '--delete', ...more);
      program.fails(2, why, 'fetch', 'n', out, '--delete', ...more);
    }
  };
  for (const out of ['srv', 'link']) refused(out, /^shardctl: peer "peer" \(.*\) is in .*: --delete would delete from it/m);
  mkdirSync(program.path('mirrors'));
  renameSync(program.path('srv/n'), program.path('mirrors/n'));
  program.succeeds('add', 'mirrors/n', '-q');
  refused('mirrors', /^shardctl: the source of n \(.*\) is in /m);
  // A mirror is brought back to what it was.
  writeFileSync(program.path('mirrors/n/more'), '');
  program.succeeds('get', 'n', '-o', 'mirrors/n', '--delete', '-q');
  assert.ok(!existsSync(program.path('mirrors/n/more')));
  program.succeeds('verify', '--read-data', '-q');
});

test('nothing of a tree is written into the home or a peer, whatever options say', { skip: sample() }, () => {
  program.succeeds('peers', 'add', 'local', 'srv/peer');
  symlinkSync(program.home, program.path('link'));
  const [ofHome, ofPeer] = [/^shardctl: the home \(.*\) holds /m, /^shardctl: peer "peer" \(.*\) holds /m];
  program.fails(2, ofHome, 'get', 'm/dists', '-o', `${program.home}/`);
  program.fails(2, ofHome, 'get', 'm/dists', 'm/pool/main/a.deb', '-o', 'link', '--overwrite');
  program.fails(2, ofHome, 'get', 'm/dists/Release', '-o', `${program.home}/config.json`, '--overwrite');
  program.fails(2, ofPeer, 'get', 'm', '-o', 'srv/peer/shards', '--delete', '-n');
  program.fails(2, ofPeer, 'fetch', 'm/dists', 'srv/peer', '--exclude', '/*');
  program.fails(2, ofHome, 'fetch', 'm/dists', 'link/new', '-n');
  program.fails(2, ofHome, 'export', 'm', '--car', `${program.home}/config.json`, '--overwrite');
  mkdirSync(program.path('srv/peer/mnt'));
  program.fails(2, ofPeer, 'mount', 'm', 'srv/peer/mnt');

  for (const dir of ['n/home/heads', 'n/srv/peer']) mkdirSync(program.path(dir), { recursive: true });
  for (const file of ['n/home/config.json', 'n/home/heads/m', 'n/srv/peer/peer.json', 'n/srv/else']) writeFileSync(program.path(file), '');
  program.succeeds('add', 'n', '-q');
  for (const argv of [
    ['get', 'n', '-o', '.', '--overwrite'],
    ['fetch', 'n', '.'],
  ]) {
    rmSync(program.path('srv/else'), { force: true });
    const { stderr } = program.succeeds(...argv);
    assert.match(stderr, /"home" of the tree is left out: the home .*\n.*"srv\/peer" of the tree is left out: peer "peer"/);
    assert.ok(existsSync(program.path('srv/else')));
  }
  program.succeeds('verify', '--read-data', '-q');
});

/** Does `work` while `shown` is mounted on each of `points`; skips the test where nothing can be mounted. */
function whileBound(t: TestContext, shown: string, points: readonly string[], work: () => void): void {
  const mounted = points.filter((at) => process.getuid?.() === 0 && spawnSync('mount', ['--bind', shown, at]).status === 0);
  try {
    if (mounted.length < points.length) t.skip('nothing can be mounted here');
    else work();
  } finally {
    for (const at of mounted) spawnSync('umount', [at]);
  }
}

test('a bind mount leads into the home and the peers as a symlink does', { skip: sample() }, (t) => {
  program.succeeds('peers', 'add', 'local', 'srv/peer');
  for (const dir of ['n/srv/peer', 'bound', 'outer/bound']) mkdirSync(program.path(dir), { recursive: true });
  writeFileSync(program.path('n/srv/peer/peer.json'), '');
  writeFileSync(program.path('n/srv/else'), '');
  program.succeeds('add', 'n', '-q');
  const points = ['bound', 'outer/bound'].map((name) => program.path(name));
  whileBound(t, program.path('srv'), points, () => {
    const ofPeer = /^shardctl: peer "peer" \(.*\) /m;
    program.fails(2, ofPeer, 'get', 'm', '-o', 'bound', '--delete', '--max-delete', 'none');
    program.fails(2, ofPeer, 'get', 'm', '-o', 'outer', '--delete', '--max-delete', 'none');
    program.fails(2, ofPeer, 'get', 'm/dists', '-o', 'bound/peer', '--overwrite');
    program.fails(2, ofPeer, 'fetch', 'm', 'outer/bound/peer/new');
    program.fails(2, /HOME_IN_SOURCE|is inside the directory to add/, 'add', 'bound');
    program.fails(2, /that is in peer "peer"/, 'status', '--log-file', 'bound/peer/peer.json');
    const { stderr } = program.succeeds('get', 'n/srv', '-o', 'bound', '--overwrite');
    assert.match(stderr, /"peer" of the tree is left out: peer "peer"/);
    assert.ok(existsSync(program.path('srv/else')));
    program.succeeds('verify', '--read-data', '-q');
  });
});

test('a bind mount of what is in the home or in a peer is a part of it', { skip: sample() }, (t) => {
  program.succeeds('peers', 'add', 'local', 'srv/peer');
  for (const dir of ['bound', 'out/part', 'tree/part/here']) mkdirSync(program.path(dir), { recursive: true });
  writeFileSync(program.path('tree/else'), '');
  writeFileSync(program.path('tree/part/planted'), '');
  program.succeeds('add', 'tree', '-q');
  const shown = program.path('srv/peer/shards');
  const points = [program.path('bound'), program.path('out/part')];
  whileBound(t, shown, points, () => {
    const ofPeer = /^shardctl: peer "peer" \(.*\) /m;
    const names = readdirSync(shown);
    program.fails(2, ofPeer, 'get', 'm/dists', '-o', 'bound', '--overwrite');
    program.fails(2, ofPeer, 'get', 'm/dists', '-o', 'bound/new', '--overwrite');
    program.fails(2, ofPeer, 'fetch', 'm', 'bound/new');
    program.fails(2, ofPeer, 'fetch', 'm', 'out', '--delete', '--max-delete', 'none');
    program.fails(2, /that is in peer "peer"/, 'status', '--log-file', 'bound/log');
    program.fails(2, /peer "peer" .* is inside the directory to add/, 'add', 'out');
    const { stderr } = program.succeeds('get', 'tree', '-o', 'out', '--overwrite');
    assert.match(stderr, /"part" of the tree is left out: peer "peer"/);
    assert.ok(existsSync(program.path('out/else')));
    assert.deepEqual(readdirSync(shown), names);
  });
});

test('no file takes the name of a FIFO, wherever it stands', { skip: sample() }, () => {
  mkdirSync(program.path('out/dists'), { recursive: true });
  for (const fifo of ['fifo', 'out/dists/Release']) spawnSync('mkfifo', [program.path(fifo)]);
  symlinkSync('fifo', program.path('link'));
  for (const out of ['fifo', 'link']) {
    program.fails(2, /is a device, a FIFO or a socket/, 'export', 'm', '--car', out, '--overwrite');
    program.fails(2, /is a device, a FIFO or a socket/, 'get', 'm/dists/Release', '-o', out, '--overwrite');
  }
  const { code, stderr } = program.run('get', 'm', '-o', 'out', '--overwrite');
  assert.match(stderr, /Release" is in the way: it is a device, a FIFO or a socket/);
  assert.notEqual(code, 0);
  for (const fifo of ['fifo', 'out/dists/Release']) assert.ok(statSync(program.path(fifo)).isFIFO());
});

test('what fetch knows of a copy is never taken from a tree', { skip: sample() }, () => {
  const state = '.shardctl-fetch';
  for (const dir of [`m/${state}/new`, `m/pool/${state}`]) mkdirSync(program.path(dir), { recursive: true });
  for (const file of [`m/${state}/entries`, `m/${state}/lock`, `m/pool/${state}/entries`]) writeFileSync(program.path(file), 'planted');
  program.succeeds('add', 'm', '-q', '--include', '*');
  const entries = ['dists', 'dists/Release', 'pool', 'pool/main', 'pool/main/a.deb', 'pool/main/a.dsc', 'pool/old', 'pool/old/b.deb'];
  const left = /^warning: the tree has entries named \.shardctl-fetch, which are left out: .*\n$/;
  assert.match(program.succeeds('get', 'm', '-o', 'copy').stderr, left);
  assert.deepEqual(got('copy'), entries);
  for (const argv of [
    ['fetch', 'm', 'fetched'],
    ['get', 'm', '-o', 'copy', '--delete'],
    ['get', 'm', '-o', 'copy', '--overwrite'],
  ]) {
    assert.match(program.succeeds(...argv).stderr, left);
    const out = argv.includes('fetched') ? 'fetched' : 'copy';
    assert.deepEqual(
      got(out).filter((name) => !name.startsWith(state)),
      entries,
    );
    assert.notEqual(readFileSync(program.path(out, state, 'entries'), 'utf8'), 'planted');
  }
  assert.deepEqual(
    listed('m')
      .map((name) => name.replace(/\/$/, ''))
      .sort(),
    entries,
  );
  program.fails(2, /`fetch` keeps what it knows of a copy in /, 'get', `m/${state}`, '-o', 'copy/', '--overwrite');
  symlinkSync(`copy/${state}`, program.path('innocent'));
  program.fails(2, /`fetch` keeps what it knows of a copy in /, 'get', 'm/pool', '-o', 'innocent', '--overwrite');
});

test('bytes on stdout that nobody reads to their end, or that find no room, are no success', { skip: sample() }, async (t) => {
  writeFileSync(program.path('m/large'), Buffer.alloc(4 * 1024 * 1024, 'x'));
  program.succeeds('add', 'm', '-q');
  const commands = [
    ['cat', 'm/large'],
    ['get', 'm', '-o', '-'],
    ['export', 'm', '--car', '-'],
  ];
  for (const argv of commands) {
    const running = program.start(...argv);
    running.stdout?.once('data', () => running.stdout?.destroy());
    let stderr = '';
    running.stderr?.on('data', (text) => (stderr += text));
    const [code] = await once(running, 'close');
    assert.deepEqual([code, stderr], [141, ''], argv.join(' '));
  }
  if (!existsSync('/dev/full')) return t.skip('there is no /dev/full here');
  for (const argv of commands) {
    const { status, stderr } = program.runIn('exec > /dev/full', ...argv);
    assert.equal(status, 43, stderr);
    assert.match(stderr, /make room there, or write it elsewhere; then run the same command again$/m);
  }
});
