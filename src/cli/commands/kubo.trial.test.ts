/** The real program and real Kubo daemons. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { KuboDaemon, requireKubo } from '../../testing/kubo.ts';
import { fixture, Program } from '../../testing/program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-kubo-cli-'));
let daemons: Promise<readonly [KuboDaemon, KuboDaemon]> | undefined;
after(async () => {
  for (const daemon of (await daemons) ?? []) await daemon.stop();
  rmSync(scratch, { recursive: true, force: true });
});

interface World {
  readonly program: Program;
  readonly attic: KuboDaemon;
  readonly cellar: KuboDaemon;
  /** A mirror that may be changed. */
  readonly mirror: string;
}

const sample = oneIn(6);

/** Two daemons, which the tests of this file share one after the other, and a home of its own with both as peers. */
function rule(title: string, body: (world: World) => Promise<void> | void): void {
  test(title, { skip: sample() }, async (t: TestContext) => {
    if (!requireKubo(t)) return;
    daemons ??= Promise.all([KuboDaemon.start(join(scratch, 'attic')), KuboDaemon.start(join(scratch, 'cellar'))]);
    const [attic, cellar] = await daemons;
    for (const daemon of [attic, cellar]) unpinAll(daemon);
    const program = new Program();
    t.after(() => program.dispose());
    program.succeeds('peers', 'add', 'kubo', attic.url, '--name', 'attic', '--tag', 'zone=a');
    program.succeeds('peers', 'add', 'kubo', cellar.url, '--name', 'cellar', '--tag', 'zone=b');
    const mirror = program.path('mirror');
    cpSync(fixture('debian'), mirror, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    await body({ program, attic, cellar, mirror });
  });
}

function unpinAll({ repo }: KuboDaemon): void {
  for (const type of ['recursive', 'direct']) {
    const cids = repo
      .text(['pin', 'ls', `--type=${type}`, '-q'])
      .split('\n')
      .filter(Boolean);
    if (cids.length > 0) repo.run(['pin', 'rm', ...cids]);
  }
  repo.run(['repo', 'gc', '-q']);
}

/** Without the marks of homes, which are CIDs with the identity in them. */
function pinsOf({ repo }: KuboDaemon, type: 'recursive' | 'direct'): string[] {
  return repo
    .text(['pin', 'ls', `--type=${type}`, '-q'])
    .split('\n')
    .filter((cid) => cid !== '' && !cid.startsWith('bafkqa'))
    .sort();
}

/** Sizes, modes, mtimes and bytes. */
function assertSame(a: string, b: string): void {
  const { status, stdout } = spawnSync('rsync', ['-ani', '--checksum', '--delete', `${a}/`, `${b}/`], { encoding: 'utf8' });
  if (status === 0) assert.equal(stdout, '');
  else assert.equal(spawnSync('diff', ['-r', '--no-dereference', a, b], { encoding: 'utf8' }).stdout, '');
}

rule(
  'what was added is whole on each daemon after garbage collection, and reads back through its gateway and itself',
  async ({ program, attic, cellar, mirror }) => {
    program.succeeds('add', mirror, '--replication', '2');
    const { tree, cid: snapshot } = program.head('mirror');
    for (const daemon of [attic, cellar]) {
      daemon.repo.run(['repo', 'gc', '-q']);
      const out = program.path(`get-${daemon === attic ? 'attic' : 'cellar'}`);
      daemon.repo.run(['get', '-o', out, `/ipfs/${tree}`]);
      assertSame(mirror, out);
      const release = await fetch(`${daemon.gateway}/ipfs/${tree}/dists/bookworm/Release`);
      assert.deepEqual(Buffer.from(await release.arrayBuffer()), readFileSync(join(mirror, 'dists/bookworm/Release')));
      assert.deepEqual(pinsOf(daemon, 'direct'), [snapshot, tree].sort(), 'its roots are pinned by themselves');
    }
    program.succeeds('verify', '--read-data');
    program.succeeds('get', 'mirror', '-o', program.path('back'));
    assertSame(mirror, program.path('back'));
  },
);

rule('after an update the roots of the new head alone are pinned', ({ program, attic, mirror }) => {
  program.succeeds('add', mirror);
  const before = program.head('mirror');
  writeFileSync(join(mirror, 'new'), 'new');
  program.succeeds('update');
  const { tree, cid: snapshot } = program.head('mirror');
  assert.notEqual(tree, before.tree);
  assert.deepEqual(pinsOf(attic, 'direct'), [snapshot, tree].sort());
  attic.repo.run(['pin', 'rm', tree]);
  program.succeeds('update');
  assert.deepEqual(pinsOf(attic, 'direct'), [snapshot, tree].sort(), 'what was left undone is done by the next run');
});

rule('what somebody unpins, or removes under its pin, is found by verify and mended by repair', ({ program, attic, cellar, mirror }) => {
  program.succeeds('add', mirror, '--replication', '2');
  const shard = shardOf(program, attic);
  attic.repo.run(['pin', 'rm', shard]);
  assert.equal(program.run('verify', '--replication', '2').code, 44);
  program.succeeds('repair', '--replication', '2');
  program.succeeds('verify', '--read-data', '--replication', '2');

  const { tree } = program.head('mirror');
  const directory = cellar.repo.text(['resolve', '-r', `/ipfs/${tree}/dists`]).replace('/ipfs/', '');
  cellar.repo.run(['block', 'rm', directory]);
  program.succeeds('verify');
  const found = program.run('verify', '--read-data');
  assert.equal(found.code, 44);
  assert.match(found.stdout + found.stderr, /cellar.*is missing/);
  program.succeeds('repair', '--read-data', '--replication', '2');
  program.succeeds('verify', '--read-data', '--replication', '2');
});

rule(
  'a daemon whose datastore was made anew is noticed, and filled again when its owner says so',
  async ({ program, attic, cellar, mirror }) => {
    program.succeeds('add', mirror, '--replication', '2');
    await cellar.stop();
    rmSync(cellar.repo.path, { recursive: true });
    const fresh = await KuboDaemon.start(cellar.repo.path);
    daemons = Promise.resolve([attic, fresh]);
    const config = join(program.home, 'config.json');
    const id = fresh.repo.text(['id', '-f', '<id>']);
    const settings = JSON.parse(readFileSync(config, 'utf8')) as { peers: { name: string; url: string; id: string }[] };
    for (const peer of settings.peers) if (peer.name === 'cellar') peer.url = fresh.url;
    writeFileSync(config, JSON.stringify(settings));
    const { stdout, stderr } = program.run('verify');
    assert.match(stdout + stderr, /cellar.*is another Kubo now/);
    for (const peer of settings.peers) if (peer.name === 'cellar') peer.id = id;
    writeFileSync(config, JSON.stringify(settings));
    assert.equal(program.run('verify').code, 44);
    program.succeeds('repair', '--replication', '2');
    program.succeeds('verify', '--read-data', '--replication', '2');
    assert.equal(pinsOf(fresh, 'direct').length, 2);
  },
);

rule('prune unpins what no snapshot needs, and nothing that anybody else has pinned', ({ program, attic, cellar, mirror }) => {
  const mine = attic.repo.text(['add', '-Q', '--cid-version=1', join(mirror, 'dists/bookworm/Release')]);
  program.succeeds('add', mirror, '--replication', '2');
  program.succeeds('add', fixture('npm'), '--name', 'npm', '--replication', '2');
  for (let i = 0; i < 3; i++) {
    writeFileSync(join(mirror, 'changing'), Buffer.alloc(50_000, i));
    program.succeeds('update', 'mirror', '--replication', '2');
  }
  const pinned = pinsOf(attic, 'recursive').length;
  program.succeeds('forget', 'mirror', '--keep-last', '1');
  program.succeeds('prune', '--max-unused', '0%', '--replication', '2');
  const left = pinsOf(attic, 'recursive');
  assert.ok(left.length < pinned);
  assert.ok(left.includes(mine));
  assert.equal(pinsOf(cellar, 'direct').length, 4, 'two roots of each of two heads');
  for (const daemon of [attic, cellar]) daemon.repo.run(['repo', 'gc', '-q']);
  program.succeeds('verify', '--read-data', '--replication', '2');
});

rule('a lost home is recovered from a daemon by its URL', ({ program, attic, mirror }) => {
  program.succeeds('add', mirror, '--replication', '2');
  const { cid: snapshot } = program.head('mirror');
  const other = new Program();
  try {
    other.succeeds('recover', snapshot, '--from', attic.url);
    other.succeeds('get', 'mirror', '-o', other.path('back'));
    assertSame(mirror, other.path('back'));
    other.succeeds('verify', '--read-data');
  } finally {
    other.dispose();
  }
});

rule('a home has daemons and directories side by side', ({ program, mirror }) => {
  program.succeeds('peers', 'add', 'local', 'disk', '--tag', 'zone=c');
  program.succeeds('add', mirror, '--replication', '3');
  program.succeeds('verify', '--read-data', '--replication', '3');
  const kinds = program
    .succeeds('peers', 'ls', '--json')
    .lines.map((line) => JSON.parse(line) as { kind?: string; url?: string; path?: string });
  assert.deepEqual(
    kinds.flatMap(({ kind = [] }) => kind),
    ['kubo', 'kubo', 'local'],
  );
});

rule('a Kubo is a peer once, and what is no Kubo is none', ({ program, attic }) => {
  program.fails(2, /is peer "attic" already/, 'peers', 'add', 'kubo', attic.url, '--name', 'other');
  program.fails(2, /there is a peer "attic" already/, 'peers', 'add', 'kubo', 'http://127.0.0.1:1', '--name', 'attic');
  program.fails(42, /does not know this request/, 'peers', 'add', 'kubo', attic.gateway, '--name', 'other');
  program.fails(42, /connection refused/, 'peers', 'add', 'kubo', 'http://127.0.0.1:1', '--name', 'other');
  program.fails(2, /not an http or https URL/, 'peers', 'add', 'kubo', '127.0.0.1:5001');
  program.fails(2, /token of peer "other" cannot be read/, 'peers', 'add', 'kubo', attic.url, '--name', 'other', '--token-file', 'no-such');
});

test('a daemon that wants credentials gets them, from a file, the environment or the URL, and nobody else sees them', {
  skip: onlyInAll(),
}, async (t) => {
  if (!requireKubo(t)) return;
  const authorizations = {
    robot: { AuthSecret: 'bearer:s3cret', AllowedPaths: ['/api/v0'] },
    person: { AuthSecret: 'basic:me:s3cret', AllowedPaths: ['/api/v0'] },
  };
  const daemon = await KuboDaemon.start(join(scratch, 'guarded'), { 'API.Authorizations': authorizations });
  t.after(() => daemon.stop());
  const ways: [string, string[], Record<string, string>][] = [
    ['file', [daemon.url, '--token-file', 'token'], {}],
    ['environment', [daemon.url], { SHARDCTL_TOKEN_THE_ONE: 's3cret' }],
    ['url', [daemon.url.replace('//', '//me:s3cret@')], {}],
  ];
  for (const [way, args, env] of ways) {
    const program = new Program(env);
    try {
      writeFileSync(program.path('token'), 's3cret\n');
      const said = [
        program.succeeds('peers', 'add', 'kubo', ...args, '--name', 'the-one'),
        program.succeeds('config', 'shared', 'yes'),
        program.succeeds('add', fixture('npm'), '-v'),
        program.succeeds('peers', 'ls'),
        program.succeeds('peers', 'ls', '--json'),
        program.succeeds('verify', '--read-data'),
      ];
      const mode = statSync(join(program.home, 'config.json')).mode & 0o077;
      assert.equal(mode === 0, way === 'url', 'in a home that is shared only settings that hold a password are closed');
      if (way === 'file') {
        writeFileSync(program.path('token'), 'wr0ng');
        const refused = program.run('update', '-v');
        assert.equal(refused.code, 42);
        assert.match(refused.stderr, /refuses our credentials/);
        said.push(refused);
      }
      for (const { stdout, stderr } of said) assert.doesNotMatch(stdout + stderr, /s3cret|wr0ng/);
    } finally {
      program.dispose();
    }
  }
});

/** CID of the first shard. */
function shardOf(program: Program, { repo }: KuboDaemon): string {
  const { cid: snapshot } = program.head('mirror');
  return repo.text(['ls', '--resolve-type=false', '--size=false', `/ipfs/${snapshot}/shards`]).split(' ')[0] as string;
}
