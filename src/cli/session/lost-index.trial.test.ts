/** A home that has lost its index, or the tables in it: no command takes it for a new one, and those that are named bring it back. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { Index } from '../../index/index.ts';
import { oneIn, sampled } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(12);

/** Two repositories, of which one has a history with a tag, on a peer outside of the home. */
let program: Program;
let heads: { readonly m: string; readonly other: string };
before(() => {
  program = new Program();
  for (const name of ['m', 'other']) {
    mkdirSync(program.path(name));
    writeFileSync(program.path(name, 'a'), Buffer.alloc(50_000, name));
  }
  program.succeeds('peers', 'add', 'local', 'p');
  program.succeeds('add', 'm', '--exclude', '*.tmp');
  writeFileSync(program.path('m', 'b'), 'b');
  program.succeeds('update', 'm');
  program.succeeds('add', 'other');
  heads = { m: program.head('m').cid, other: program.head('other').cid };
  for (const name of ['home', 'p']) cpSync(program.path(name), program.path(`${name}.kept`), { recursive: true });
});
after(() => program.dispose());
beforeEach(() => {
  for (const name of ['home', 'p']) {
    rmSync(program.path(name), { recursive: true, force: true });
    cpSync(program.path(`${name}.kept`), program.path(name), { recursive: true });
  }
});

const at = (...parts: string[]) => join(program.home, ...parts);
const remove = (...parts: string[]) => rmSync(at(...parts), { recursive: true, force: true });

/** How a home loses its index. In each `standing.json` stays where it can, and says that all is well. */
const STATES: Readonly<Record<string, () => void | Promise<void>>> = {
  'the index is gone': () => remove('index'),
  'the index is empty': () => {
    for (const name of readdirSync(at('index'))) remove('index', name);
  },
  'the tables are gone': () => remove('index', 'tables'),
  'the file of the tables is gone': () => remove('index', 'tables', 'data.mdb'),
  'the file of the tables was never written': () => {
    for (const name of ['blocks', 'entries', 'standing.json']) remove('index', name);
    truncateSync(at('index', 'tables', 'data.mdb'));
  },
  'an empty index was made in its place': async () => {
    remove('index');
    await (await Index.open(at('index'), { anew: true })).close();
  },
  'the heads are gone with the index': () => {
    remove('index');
    remove('heads');
  },
  'the heads are gone with the tables': () => {
    remove('index', 'tables');
    remove('heads');
  },
};

const COMMANDS: readonly (readonly string[])[] = [
  ['check', '-q'],
  ['update', '--all'],
  ['config', 'keep', 'last=2'],
  ['peers', 'add', 'local', 'q'],
  ['update', 'm'],
  ['repair'],
  ['prune'],
  ['forget', 'm', '--keep-last', '1'],
  ['rm', 'm'],
  ['rename', 'm', 'n'],
  ['tag', 'm', 'good'],
  ['rebalance'],
  ['peers', 'set', 'p', '--tag', 'zone=a'],
  ['peers', 'drain', 'p'],
  ['add', 'm'],
  ['status'],
  ['verify'],
];

function note(): string {
  const owners = program.path('p', 'owners');
  return readFileSync(join(owners, readdirSync(owners).find((name) => name.endsWith('.note')) as string), 'utf8');
}

for (const [state, lose] of Object.entries(STATES)) {
  test(`${state}: every command refuses and changes nothing, and recover --all brings everything back`, { skip: sample() }, async () => {
    await lose();
    const noted = note();
    for (const words of COMMANDS.slice(0, sampled(2, state === 'the file of the tables is gone' ? COMMANDS.length : 4))) {
      const { code, stderr } = program.run(...words);
      assert.equal(code, 40, `${words.join(' ')}: ${stderr}`);
      assert.match(stderr, /`shardctl recover --all`/, words.join(' '));
      assert.equal(note(), noted, words.join(' '));
    }
    const { stdout } = program.succeeds('recover', '--all');
    // The note still says where the repositories came from, also the second time.
    assert.match(stdout, /shardctl add \S+m --name m --exclude '\*\.tmp'/);
    assert.match(note(), /\*\.tmp/);
    assert.deepEqual({ m: program.head('m').cid, other: program.head('other').cid }, heads);
    assert.match(program.succeeds('snapshots', 'm').stdout, /m@1[\s\S]*m@2/);
    program.succeeds('verify', '--read-data');
    program.succeeds('add', 'm', '--exclude', '*.tmp');
    writeFileSync(program.path('m', 'c'), state);
    program.succeeds('update', 'm', '-q');
    program.succeeds('verify', '--read-data');
    rmSync(program.path('m', 'c'));
  });
}

test('what of several repositories is not recovered yet stays noted, and recover --all brings the rest', { skip: sample() }, () => {
  remove('index');
  program.succeeds('recover', 'm');
  assert.match(note(), /"name": "other"/);
  // Its new shard gets no number that one of the others has.
  program.succeeds('add', 'm', '--exclude', '*.tmp');
  writeFileSync(program.path('m', 'c'), 'c');
  program.succeeds('update', 'm', '-q');
  rmSync(program.path('m', 'c'));
  assert.match(note(), /"name": "other"/);
  const { stdout, stderr } = program.succeeds('recover', '--all');
  assert.match(stderr + stdout, /m: passed over, it is in this home already/);
  assert.match(stdout, /shardctl add \S+other --name other/);
  program.succeeds('verify', '--read-data');
  program.fails(2, /there is a repository m in this home already/, 'recover', '--all');
});

test('add makes a lost index anew where nothing else was in it, says so, and counts on nothing that is left of it', {
  skip: sample(),
}, () => {
  program.succeeds('rm', 'other');
  remove('index', 'tables', 'data.mdb');
  const { stderr } = program.succeeds('add', 'm', '--exclude', '*.tmp');
  assert.match(stderr, /has lost its index: a new one is made, without the earlier snapshots of m/);
  program.succeeds('verify', '--read-data');
  writeFileSync(program.path('m', 'c'), 'c');
  program.succeeds('update', 'm', '-q');
  rmSync(program.path('m', 'c'));
  // The history from before is on the peer still: it comes back beside the new one.
  remove('index');
  program.succeeds('recover', 'm');
  assert.match(program.succeeds('snapshots', 'm').stdout, /m@1[\s\S]*m@2[\s\S]*m@3[\s\S]*m@4/);
  program.succeeds('verify', '--read-data');
});

test('a home that has removed its last repository is new again, and its note names none', { skip: sample() }, () => {
  program.succeeds('rm', 'm', 'other');
  assert.match(note(), /"repositories": \[\]/);
  program.succeeds('check', '-q');
  remove('index');
  program.succeeds('check', '-q');
  program.succeeds('add', 'm');
});
