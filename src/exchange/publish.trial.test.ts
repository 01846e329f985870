/** Publishing through a real Kubo: one key a repository, and the name follows the head. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RepositoryRecord } from '../core/model.ts';
import { Index } from '../index/index.ts';
import { oneIn, onlyInAll } from '../testing/depth.ts';
import { KuboDaemon, requireKubo } from '../testing/kubo.ts';
import { Program } from '../testing/program.ts';
import { writeTree } from '../testing/tree.ts';

const sample = oneIn(10);

let dir: string;
let daemon: KuboDaemon | undefined;
let program: Program;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-publish-'));
  program = new Program();
});
after(async () => {
  await daemon?.stop();
  program.dispose();
  rmSync(dir, { recursive: true, force: true });
});

test('a name leads to the tree of the head, stays the same, and moves with update --publish', { skip: sample() }, async (t) => {
  if (!requireKubo(t)) return;
  // Offline it keeps the records for itself: there is nobody to tell.
  daemon = await KuboDaemon.start(join(dir, 'kubo'), {}, ['--offline']);
  const source = writeTree(join(dir, 'source'), { a: 'one' });
  program.succeeds('peers', 'add', 'kubo', daemon.url, '--name', 'attic');
  const [tree] = program.succeeds('add', source, '--name', 'deb ian', '-Q').lines;
  const { lines } = program.succeeds('publish', 'deb ian', '--lifetime', '48h');
  const name = /^\/ipns\/(k51[a-z0-9]+) -> \/ipfs\/(.*)$/.exec(lines[0] ?? '')?.[1] as string;
  assert.equal(lines[0], `/ipns/${name} -> /ipfs/${tree}`);
  assert.match(lines[1] ?? '', new RegExp(`"dnslink=/ipns/${name}"`));
  assert.equal(daemon.repo.text(['name', 'resolve', name]), `/ipfs/${tree}`);

  writeFileSync(join(source, 'b'), 'two');
  const updated = program.succeeds('update', 'deb ian', '--publish', '--json');
  const published = updated.lines.map((line) => JSON.parse(line)).find(({ type }) => type === 'published');
  const summary = updated.lines.map((line) => JSON.parse(line)).find(({ type }) => type === 'summary');
  assert.deepEqual([published.name, published.value, published.peer], [name, `/ipfs/${summary.tree}`, 'attic']);
  assert.notEqual(summary.tree, tree);
  assert.equal(daemon.repo.text(['name', 'resolve', '--nocache', name]), `/ipfs/${summary.tree}`);
  assert.equal(program.succeeds('update', 'deb ian', '--publish', '-q').stdout, '');

  const back = program.succeeds('publish', 'deb ian@1');
  assert.match(back.stdout, /that is deb ian@1; `shardctl publish 'deb ian'`, or the next update with --publish/);
  assert.equal(daemon.repo.text(['name', 'resolve', '--nocache', name]), `/ipfs/${tree}`);
  program.fails(2, /deb ian@1 is published/, 'forget', 'deb ian', '1');
  assert.match(program.succeeds('forget', 'deb ian', '--keep-last', '1', '-n').stdout, /^keep +deb ian@1 .* published$/m);
  assert.match(program.succeeds('snapshots').stdout, /^deb ian@1 .* \(published\)$/m);
  program.fails(2, /a name points at whole trees/, 'publish', 'deb ian@1/a');
  program.fails(40, /no snapshot of 2001-01-01 or before: the oldest snapshot is deb ian@1/, 'publish', 'deb ian@2001-01-01');
  program.succeeds('update', 'deb ian', '--publish', '-q');
  assert.equal(daemon.repo.text(['name', 'resolve', '--nocache', name]), `/ipfs/${summary.tree}`);
  assert.doesNotMatch(program.succeeds('snapshots').stdout, /published/, 'the name follows the head again');
  assert.match(program.succeeds('forget', 'deb ian', '--keep-last', '1', '-n').stdout, /^remove +deb ian@1 /m);
});

test('a renamed repository keeps its name, also where the daemon did not answer when it was renamed', { skip: sample() }, async (t) => {
  if (!requireKubo(t) || daemon === undefined) return;
  const nameOf = (said: { lines: readonly string[] }) => /^\/ipns\/(\S+) /.exec(said.lines[0] ?? '')?.[1];
  const keys = () =>
    (daemon as KuboDaemon).repo
      .text(['key', 'list'])
      .split('\n')
      .filter((key) => key.startsWith('shardctl-'));
  const name = nameOf(program.succeeds('publish', 'deb ian'));
  assert.equal(program.succeeds('rename', 'deb ian', 'debian').stderr, '');
  assert.match(keys().join(), /^shardctl-[0-9a-f]{12}-debian$/);
  // As a rename leaves it while the daemon is away.
  daemon.repo.run(['key', 'rename', keys()[0] as string, (keys()[0] as string).replace(/debian$/, 'was')]);
  const index = await Index.open(join(program.home, 'index'));
  await index.saveRepository({ ...(index.repository('debian') as RepositoryRecord), formerNames: ['was'] });
  await index.close();
  program.succeeds('update', '-q');
  assert.equal(nameOf(program.succeeds('publish', 'debian')), name);
  const roots = daemon.repo.text(['pin', 'ls', '--type=direct', '--names']);
  assert.match(roots, /shardctl roots of [0-9a-f]{12}\/debian\b/);
  assert.doesNotMatch(roots, /deb ian/);
  program.succeeds('rename', 'debian', 'deb ian', '-q');
});

test('rm unpins the roots, and says that the key stays and how it goes', { skip: sample() }, async (t) => {
  if (!requireKubo(t) || daemon === undefined) return;
  const roots = () => (daemon as KuboDaemon).repo.text(['pin', 'ls', '--type=direct', '--names']);
  program.succeeds('add', writeTree(join(dir, 'second'), { b: 'two' }), '--name', 'second', '-q');
  program.succeeds('publish', 'second', '-q');
  assert.match(roots(), /\/second\b/);
  const { stdout } = program.succeeds('rm', 'second');
  assert.doesNotMatch(roots(), /\/second\b/);
  const command = /`ipfs (key rm \S+)`/.exec(stdout)?.[1] as string;
  assert.match(daemon.repo.text(command.split(' ')), /-second/);
});

test('another home gets no name of this one by accident: it takes it over when it is told to, and the name stays', {
  skip: sample(),
}, async (t) => {
  if (!requireKubo(t) || daemon === undefined) return;
  const other = new Program();
  try {
    const source = writeTree(join(dir, 'other'), { a: 'other' });
    other.succeeds('peers', 'add', 'kubo', daemon.url, '--name', 'attic');
    other.succeeds('add', source, '--name', 'deb ian', '-q');
    other.fails(2, /another home publishes a deb ian/, 'publish', 'deb ian');
    const { stderr } = other.run('publish', 'deb ian');
    const key = /--take-key (\S+)`/.exec(stderr)?.[1] as string;
    const nameOf = (said: { lines: readonly string[] }) => /^\/ipns\/(\S+) /.exec(said.lines[0] ?? '')?.[1];
    const before = nameOf(program.succeeds('publish', 'deb ian'));
    assert.equal(nameOf(other.succeeds('publish', 'deb ian', '--take-key', key)), before);
    assert.equal(nameOf(other.succeeds('publish', 'deb ian')), before);
    program.fails(2, /another home publishes a deb ian/, 'publish', 'deb ian');
    program.succeeds(
      'publish',
      'deb ian',
      '--take-key',
      daemon.repo
        .text(['key', 'list'])
        .split('\n')
        .find((it) => it.startsWith('shardctl-')) as string,
    );
  } finally {
    other.dispose();
  }
});

test('a name that cannot be published is an error of its own, after the snapshot is committed', { skip: sample() }, async (t) => {
  if (!requireKubo(t) || daemon === undefined) return;
  await daemon.stop();
  const stopped = program.run('publish', 'deb ian');
  assert.deepEqual([stopped.code, /peer "attic": asking for its keys: .*ECONNREFUSED/.test(stopped.stderr)], [42, true], stopped.stderr);
  assert.equal(program.run('publish', 'nothing').code, 40);
  assert.equal(program.run('publish', 'deb ian', '--peer', 'nobody').code, 40);
  assert.equal(program.run('publish', 'deb ian', '--lifetime', 'long').code, 2);
});

test('while the daemon is asked, other runs publish, commit and forget: the name leads to nothing that was forgotten', {
  skip: sample(),
}, async (t) => {
  if (!requireKubo(t)) return;
  const other = new Program();
  const kubo = await KuboDaemon.start(join(dir, 'other'), {}, ['--offline']);
  let onPublish: (() => Promise<void>) | undefined;
  // Between the program and the daemon: something happens before the name is published.
  const proxy = createServer(async (asked, answer) => {
    const between = asked.url?.includes('/name/publish') ? onPublish : undefined;
    if (between !== undefined) onPublish = undefined;
    try {
      await between?.();
    } catch {
      asked.socket.destroy();
      return;
    }
    const { method, headers } = asked;
    const onward = request(new URL(asked.url ?? '', kubo.url), { method: method as string, headers }, (answered) => {
      answer.writeHead(answered.statusCode as number, answered.headers);
      answered.pipe(answer);
    });
    asked.pipe(onward);
  });
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  try {
    const source = writeTree(join(dir, 'other-source'), { a: 'one' });
    const runs = async (...argv: string[]) => assert.equal((await other.follow(() => {}, ...argv)).code, 0, argv.join(' '));
    await runs('peers', 'add', 'kubo', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    await runs('add', source, '--name', 'npm', '-q');
    writeFileSync(join(source, 'b'), 'two');
    await runs('update', 'npm', '-q');
    await runs('publish', 'npm', '-q');
    // As after a run that was killed: the heads are read from the tables, where they change meanwhile.
    rmSync(join(other.home, 'index', 'standing.json'), { force: true });
    const leadsTo = (number: number) => {
      const trees = other.succeeds('snapshots', 'npm', '--json').lines.map((line) => JSON.parse(line));
      const [key] = kubo.repo.text(['key', 'list', '-l']).match(/^\S+(?= +shardctl-)/m) ?? [];
      const { tree } = trees.find((snapshot) => snapshot.number === number);
      assert.equal(kubo.repo.text(['name', 'resolve', '--nocache', `/ipns/${key}`]), `/ipfs/${tree}`);
    };
    onPublish = () => runs('publish', 'npm@1', '-q');
    await runs('publish', 'npm', '-q');
    assert.equal(onPublish, undefined);
    leadsTo(1);

    // The head is published without the lock, and is the head no more, and forgotten, before the daemon has it.
    await runs('publish', 'npm', '-q');
    writeFileSync(join(source, 'c'), 'three');
    onPublish = async () => {
      await runs('update', 'npm', '-q');
      await runs('forget', 'npm', '2', '-q');
    };
    await runs('publish', 'npm', '-q');
    assert.equal(onPublish, undefined);
    leadsTo(3);

    // A name that fails to move may have moved: neither snapshot is forgotten.
    await runs('publish', 'npm@1', '-q');
    writeFileSync(join(source, 'd'), 'four');
    await runs('update', 'npm', '-q');
    onPublish = () => Promise.reject(new Error('the daemon is away'));
    assert.equal((await other.follow(() => {}, 'publish', 'npm@3', '-q')).code, 42);
    // Nor where it is the head that the name was to be moved back to, and is the head no more.
    onPublish = () => Promise.reject(new Error('the daemon is away'));
    assert.equal((await other.follow(() => {}, 'publish', 'npm', '-q')).code, 42);
    writeFileSync(join(source, 'e'), 'five');
    await runs('update', 'npm', '-q');
    other.fails(2, /npm@1 is published/, 'forget', 'npm', '1');
    for (const number of ['3', '4']) other.fails(2, new RegExp(`npm@${number} may be published`), 'forget', 'npm', number);
    await runs('publish', 'npm@3', '-q');
    leadsTo(3);
    await runs('forget', 'npm', '1', '4', '-q');
    other.fails(2, /npm@3 is published/, 'forget', 'npm', '3');
  } finally {
    proxy.close();
    await kubo.stop();
    other.dispose();
  }
});

test('a second name leads to the snapshot, moves with the first one, and both can be fetched', { skip: onlyInAll() }, async (t) => {
  if (!requireKubo(t)) return;
  const other = new Program();
  const kubo = await KuboDaemon.start(join(dir, 'second-name'), {}, ['--offline']);
  try {
    const source = writeTree(join(dir, 'second-source'), { a: 'one' });
    const published = (...argv: string[]) =>
      other
        .succeeds(...argv, '--json')
        .lines.map((line) => JSON.parse(line))
        .find(({ type }) => type === 'published');
    other.succeeds('peers', 'add', 'kubo', kubo.url);
    other.succeeds('add', source, '--name', 'npm', '-q');
    assert.equal(published('publish', 'npm').snapshotName, undefined);
    const { name, snapshotName, snapshotValue } = published('publish', 'npm', '--snapshot');
    assert.notEqual(snapshotName, name);
    assert.equal(snapshotValue, `/ipfs/${other.head('npm').cid}`);
    writeFileSync(join(source, 'b'), 'two');
    const updated = published('update', 'npm', '--publish');
    assert.deepEqual([updated.name, updated.snapshotName], [name, snapshotName]);
    assert.equal(kubo.repo.text(['name', 'resolve', '--nocache', snapshotName]), `/ipfs/${other.head('npm').cid}`);
    other.succeeds('rename', 'npm', 'node', '-q');
    const renamed = published('publish', 'node');
    assert.deepEqual([renamed.name, renamed.snapshotName], [name, snapshotName]);
    for (const one of [name, snapshotName]) {
      other.succeeds('fetch', `/ipns/${one}`, join(dir, one), '--via', kubo.gateway, '-q');
      assert.equal(readFileSync(join(dir, one, 'b'), 'utf8'), 'two');
    }
    other.fails(
      2,
      /is no snapshot.*--snapshot/,
      'follow',
      `/ipns/${name}`,
      '--via',
      kubo.gateway,
      '--into',
      join(dir, 'into'),
      '--once',
      '--home',
      join(dir, 'follower'),
    );
    other.succeeds(
      'follow',
      `/ipns/${snapshotName}`,
      '--via',
      kubo.gateway,
      '--into',
      join(dir, 'into'),
      '--once',
      '-q',
      '--home',
      join(dir, 'follower'),
    );
  } finally {
    await kubo.stop();
    other.dispose();
  }
});
