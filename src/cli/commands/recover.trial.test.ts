/** A lost home as an operator meets it: nothing was noted, nothing was backed up, the disks are there. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(8);

let program: Program;
beforeEach(() => {
  program = new Program();
  mkdirSync(program.path('m'));
  writeFileSync(program.path('m', 'a'), Buffer.alloc(50_000, 'a'));
  for (const zone of ['x', 'y']) program.succeeds('peers', 'add', 'local', `disk-${zone}`, '--tag', `zone=${zone}`, '--reserve', '1MiB');
  program.succeeds('add', 'm', '--name', 'deb', '--replication', '2', '--allocate-by', 'tag:zone,freespace', '--exclude', '*.tmp');
  program.succeeds('config', 'gate', 'off', '--repository', 'deb');
  program.succeeds('config', 'grace', '6h');
  program.succeeds('config', 'keep', 'daily=7');
  program.succeeds('config', 'shard-size', '64MiB');
  rmSync(program.home, { recursive: true });
});
afterEach(() => program.dispose());

const FROM = ['--from', 'disk-x', '--from', 'disk-y'];

test('a lost home is found again without a CID, with what its peers know of policies and tags, and says what it does not know', {
  skip: sample(),
}, () => {
  const listed = program.succeeds('recover', ...FROM);
  assert.match(listed.stdout, /deb .* 1 /);
  assert.equal(statSync(program.home, { throwIfNoEntry: false }), undefined, 'to look is not to make a home');

  const { stdout } = program.succeeds('recover', 'deb', ...FROM);
  assert.match(stdout, /deb: recovered 1 snapshot/);
  assert.match(stdout, /^the home was set to, as its home noted: `shardctl config keep daily=7`$/m);
  assert.match(stdout, /^deb was set to, as its home noted: `shardctl config gate off --repository deb`$/m);
  assert.match(stdout, /^hooks, and tags of snapshots, are on no peer: hooks because no peer may say/m);
  assert.doesNotMatch(stdout, /keep and grace is on no peer/);
  assert.ok(stdout.includes(`shardctl add ${program.path('m')} --name deb --exclude '*.tmp'`), stdout);
  const { peers } = JSON.parse(readFileSync(join(program.home, 'config.json'), 'utf8')) as { peers: object[] };
  const known = { reserve: 1024 ** 2, kind: 'local', layout: 'car' };
  assert.deepEqual(
    peers,
    ['x', 'y'].map((zone) => ({ ...known, name: `disk-${zone}`, path: program.path(`disk-${zone}`), tags: { zone } })),
  );
  const { stdout: set } = program.succeeds('config');
  assert.match(set, /deb +replication +2 .*\n.*deb +allocate-by +tag:zone,freespace/);
  assert.match(set, /keep +all/, 'a note cannot have anything forgotten');
  assert.match(set, /grace +0/, 'a note cannot have a peer that is lost waited for');
  assert.match(stdout, /^the home was set to, as its home noted: `shardctl config grace 6h`$/m);
  assert.match(stdout, /^the home has again, as its home noted: shard-size 67108864$/m);
  assert.match(stdout, /^peer disk-x has again, as its home noted: zone=x, reserve 1.0 MiB$/m);
  assert.match(stdout, /^deb has again, as its home noted: replication 2, allocate-by tag:zone,freespace$/m);

  program.fails(40, new RegExp(`as a home noted that had it: \`shardctl add ${program.path('m')} --name deb --exclude`), 'update', 'deb');
  writeFileSync(program.path('m', 'b'), Buffer.alloc(50_000, 'b'));
  program.succeeds('add', 'm', '--name', 'deb', '--exclude', '*.tmp');
  program.succeeds('verify', '--read-data', '--replication', '2');
});

test('where the settings are there still, and the index alone was lost, nothing is said to be on no peer that is in them', {
  skip: sample(),
}, () => {
  program.succeeds('recover', 'deb', ...FROM, '-q');
  program.succeeds('config', 'keep', 'weekly=3');
  rmSync(join(program.home, 'index'), { recursive: true });
  const { stdout } = program.succeeds('recover', '--all');
  assert.doesNotMatch(stdout, /keep/);
  assert.match(program.succeeds('config').stdout, /keep +weekly=3/);
});

const IN_AN_HOUR = new Date(Date.now() + 3_600_000).toISOString();

/** Says something else in the note on a peer, which from then on is the newest. @returns its path */
function plant(settings: object, repository: object, at = IN_AN_HOUR): string {
  const owners = program.path('disk-x', 'owners');
  const [file] = readdirSync(owners).filter((name) => name.endsWith('.note'));
  const path = join(owners, file as string);
  const note = JSON.parse(readFileSync(path, 'utf8')) as { settings: object; repositories: object[] };
  const planted = {
    ...note,
    at,
    settings: { ...note.settings, ...settings },
    repositories: note.repositories.map((one) => ({ ...one, ...repository })),
  };
  writeFileSync(path, JSON.stringify(planted));
  return path;
}

test('a note that another home planted can have no fewer replicas made, nor a silent peer waited for', { skip: sample() }, () => {
  plant({ grace: '999999w' }, { replication: { min: 1, max: 2 } });
  const { stdout } = program.succeeds('recover', '--all', ...FROM);
  assert.match(stdout, /^the home was set to, as its home noted: `shardctl config grace 999999w`$/m);
  assert.match(stdout, /^deb was set to, as its home noted: `shardctl config replication 1:2 --repository deb`$/m);
  const { stdout: set } = program.succeeds('config');
  assert.match(set, /grace +0/);
  assert.match(set, /deb +replication +2 /);
});

test('a note that another home planted neither changes what is updated nor is it run', { skip: sample() }, () => {
  const path = plant({}, { source: '/etc; rm -r /' });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const { stdout } = program.succeeds('recover', '--all', ...FROM);
  assert.match(stdout, /`shardctl add '\/etc; rm -r \/'/);
  program.fails(40, /nothing to be updated from/, 'update', 'deb');
  rmSync(path);
  const again = program.succeeds('recover', '--all', ...FROM, '--home', program.path('again')).stdout;
  assert.match(again, /^deb: its filters are not known any more, nor where it came from: `shardctl --home \S+ add DIR --name deb`/m);
});

test('no value of a planted note becomes an option of a command that is shown, and none that no setting may have is taken over', {
  skip: sample(),
}, () => {
  const settings = { gate: '--restore', keep: '--unset', grace: '-q' };
  const own = { settings: { ...settings, 'gate-keyring': '--json' }, allocateBy: ['--restore', 'nonsense'] };
  plant({ ...settings, 'shard-size': '--unset' }, { ...own, filters: ['- --all', '- -x', '+ a b'] });
  const { stdout } = program.succeeds('recover', '--all', ...FROM);
  assert.doesNotMatch(stdout, /config \S+ -|nonsense|shard-size/);
  assert.ok(stdout.includes(`\`shardctl add ${program.path('m')} --name deb --exclude=--all --exclude=-x --include 'a b'\``), stdout);
  program.succeeds('add', 'm', '--name', 'deb', '--exclude=--all', '--exclude=-x', '--include', 'a b');
});

test('rules that a note has are taken over as every run reads them, and none that lets no peer have shards', { skip: sample() }, () => {
  for (const [i, [noted, had]] of (
    [
      [['freespace,weight'], 'freespace,weight'],
      [[' tag:zone '], 'tag:zone'],
    ] as const
  ).entries()) {
    const path = plant({ 'allocate-by': 'pinned-to:ghost' }, { allocateBy: noted });
    const home = ['--home', program.path(`home${i}`)];
    const { stdout } = program.succeeds('recover', '--all', ...FROM, ...home);
    assert.match(stdout, /^the home was set to, as its home noted: `shardctl \S+ \S+ config allocate-by pinned-to:ghost`$/m);
    assert.match(program.succeeds('config', ...home).stdout, new RegExp(`deb +allocate-by +${had} `));
    program.succeeds('add', 'm', '--name', 'deb', '--exclude', '*.tmp', ...home);
    writeFileSync(program.path('m', `new${i}`), 'new');
    program.succeeds('update', 'deb', ...home);
    program.succeeds('add', 'm', '--name', `other${i}`, ...home);
    rmSync(path);
  }
});

test('a rule for a peer that has another name now, or is lost, is shown and not taken over', { skip: sample() }, () => {
  plant({}, { allocateBy: ['pinned-to:ghost', 'freespace'] });
  const { stdout } = program.succeeds('recover', '--all', ...FROM);
  assert.match(stdout, /^deb was set to, as its home noted: `shardctl config allocate-by pinned-to:ghost,freespace --repository deb`$/m);
  program.succeeds('add', 'm', '--name', 'deb', '--exclude', '*.tmp');
  writeFileSync(program.path('m', 'new'), 'new');
  program.succeeds('update', 'deb');
});

test('nor is one for a peer whose name is that of another one here: it would pin to the wrong disk', { skip: onlyInAll() }, () => {
  plant({}, { allocateBy: ['pinned-to:disk-x', 'freespace'] });
  program.succeeds('peers', 'add', 'local', 'own-disk', '--name', 'disk-x');
  const { stdout } = program.succeeds('recover', '--all', ...FROM);
  assert.match(stdout, /^deb was set to, as its home noted: `shardctl config allocate-by pinned-to:disk-x,freespace --repository deb`$/m);
});

const TO_COME = '2099-01-01T00:00:00.000Z';

test('a note of a time that is yet to come gives way to another, and is told of', { skip: sample() }, () => {
  plant({ keep: 'last=1' }, {}, TO_COME);
  const { stdout, stderr } = program.succeeds('recover', '--all', ...FROM);
  assert.match(stderr, /^warning: the note of home \S+ on \S+disk-x is of 2099-01-01T00:00:00.000Z, which is yet to come/m);
  assert.match(stdout, /`shardctl config keep daily=7`/);
});

test('a note of a time that is yet to come counts where there is no other', { skip: onlyInAll() }, () => {
  rmSync(plant({ keep: 'last=1' }, {}, TO_COME).replace('disk-x', 'disk-y'));
  assert.match(program.succeeds('recover', '--all', ...FROM).stdout, /`shardctl config keep last=1`/);
});

test('the very first run leaves a note, too, on the peer that it makes', { skip: sample() }, () => {
  program.succeeds('add', 'm', '--name', 'first', '--exclude', '*.tmp');
  rmSync(join(program.home, 'index'), { recursive: true });
  const { stdout } = program.succeeds('recover', 'first');
  assert.match(stdout, /--name first --exclude '\*\.tmp'/);
});
