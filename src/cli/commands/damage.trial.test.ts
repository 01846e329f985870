/** One flipped bit in what the home knows: each message names the command that mends it, and that command does. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Index } from '../../index/index.ts';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(10);

let program: Program;
let blocks: string;
let run: string;
beforeEach(() => {
  program = new Program();
  const source = program.path('m');
  mkdirSync(source);
  for (let i = 0; i < 200; i++) writeFileSync(join(source, `f${i}`), `file ${i}`);
  program.succeeds('add', source, '--no-metadata');
  blocks = join(program.home, 'index', 'blocks');
  run = join(blocks, readdirSync(blocks)[0] as string);
});
afterEach(() => program.dispose());

test('a damaged block table: verify names it and goes on, a dry repair says so, repair mends it', { skip: onlyInAll() }, () => {
  const good = readFileSync(run);
  for (const at of [0, 5000, good.length - 20, good.length - 14, good.length - 2]) {
    rmSync(blocks, { recursive: true });
    mkdirSync(blocks);
    const damaged = Buffer.from(good);
    damaged[at] = (damaged[at] as number) ^ 4;
    writeFileSync(run, damaged);
    // Of the page at 5000 `get` needs nothing: it finds the files by the manifest of the shard that their directory is in.
    if (at === 5000) program.succeeds('get', 'm', '-o', `out${at}`);
    else assert.match(program.ends(44, 'get', 'm', '-o', `out${at}`).stderr, /index is damaged: .*\.run: [\s\S]*`shardctl repair/);
    const verified = program.ends(44, 'verify');
    assert.match(verified.stderr, /damage: the block table on the index: .*\.run: /);
    assert.match(verified.stdout, /^2 shards looked at: damage: \d+,/m);
    assert.match(program.succeeds('repair', '-n').stdout, /to be made anew: 1 file of the block table/);
    assert.deepEqual(readFileSync(run), damaged);
    assert.match(program.succeeds('repair').stdout, /made anew: 1 file of the block table/);
    program.succeeds('verify');
  }
  program.succeeds('get', 'm', '-o', 'out');
  assert.equal(readdirSync(program.path('out')).length, 200);
  assert.match(program.succeeds('update', 'm').stdout, /nothing has changed/);
});

test('a block table that is gone: get and verify send to repair, which lists all blocks again', { skip: sample() }, () => {
  rmSync(blocks, { recursive: true });
  assert.match(program.ends(44, 'get', 'm', '-o', 'out').stderr, /`shardctl repair` lists again/);
  assert.match(program.ends(44, 'verify').stderr, /201 of its blocks are not listed/);
  assert.match(program.succeeds('repair').stdout, /listed again: 201 blocks/);
  rmSync(program.path('out'), { recursive: true, force: true });
  program.succeeds('get', 'm', '-o', 'out');
});

test('check loses nothing over a damaged block table: whatever part it reads, it says what is damaged, and lists all again', {
  skip: sample(),
}, () => {
  const breakings = {
    damaged: () => writeFileSync(run, Buffer.concat([readFileSync(run).subarray(0, 3000), Buffer.alloc(2000, 'X')])),
    gone: () => rmSync(blocks, { recursive: true }),
  };
  for (const [how, breakIt] of Object.entries(breakings)) {
    const [good, name] = [readFileSync(run), run];
    breakIt();
    const { stdout, stderr } = program.succeeds('check', '-q', '--verify', 'none');
    assert.match(stdout + stderr, /blocks are not listed: what is damaged is the index, and not they/, how);
    assert.doesNotMatch(stdout + stderr, /^lost/m, how);
    program.succeeds('verify', '--read-data');
    assert.equal(program.succeeds('check', '-q').stderr, '', how);
    rmSync(blocks, { recursive: true, force: true });
    mkdirSync(blocks);
    writeFileSync(name, good);
  }
});

test('an index that lacks the record of a shard: verify says how it is made anew, and that is the way out', {
  skip: sample(),
}, async () => {
  const dir = join(program.home, 'index');
  const index = await Index.open(dir);
  await index.dropShard(0).finally(() => index.close());
  const { stderr } = program.ends(44, 'verify');
  assert.match(stderr, /has no record of shard 0, which a snapshot needs; move \S+index away, then run `shardctl recover NAME`/);
  rmSync(dir, { recursive: true });
  program.succeeds('recover', 'm');
  program.succeeds('verify', '--read-data');
});
