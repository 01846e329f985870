/** Trees are read by name as files are: by ls, find, du, cat. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { parseCid } from '../../dag/cid.ts';
import { oneIn, onlyInAll } from '../../testing/depth.ts';
import { Program } from '../../testing/program.ts';

const sample = oneIn(6);

let program: Program;
beforeEach(() => {
  program = new Program();
  mkdirSync(program.path('m/pool/main'), { recursive: true });
  writeFileSync(program.path('m/pool/main/a.deb'), 'a'.repeat(3000));
  writeFileSync(program.path('m/pool/b.deb'), 'b');
  writeFileSync(Buffer.concat([Buffer.from(program.path('m/pool/')), Buffer.from('gro\xdf\n', 'latin1')]), '');
  symlinkSync('b.deb', program.path('m/pool/latest'));
  program.succeeds('add', 'm', '-q');
  writeFileSync(program.path('m/new'), '0123456789');
  program.succeeds('add', 'm', '-q');
  program.succeeds('tag', 'm@1', 'old', '-q');
});
afterEach(() => program.dispose());

test('trees are listed, searched and counted by any name of a snapshot', { skip: onlyInAll() }, () => {
  assert.deepEqual(program.succeeds('ls', '-R', 'm').lines, [
    'new',
    'pool/',
    'pool/b.deb',
    'pool/gro\\xDF\\n',
    'pool/latest',
    'pool/main/',
    'pool/main/a.deb',
  ]);
  assert.match(program.succeeds('ls', '-lhR', 'm/pool').stdout, /^-\S+ +2\.9 KiB \S+ \S+ \S+ main\/a\.deb$/m);
  assert.match(program.succeeds('ls', '-l', 'm').stdout, /^drwx\S+ +0 \S+ \S+ \S+ pool$/m);
  assert.deepEqual(program.succeeds('find', 'm@old/pool', 'm@1', '--name', '*.deb').lines, [
    'm@old/pool/b.deb',
    'm@old/pool/main/a.deb',
    'm@1/pool/b.deb',
    'm@1/pool/main/a.deb',
  ]);
  assert.deepEqual(program.succeeds('find', 'm@old', '--name', 'new').lines, []);
  assert.deepEqual(program.succeeds('du', '-d', '1', 'm').lines, ['3001\tm/pool', '3011\tm']);
  assert.deepEqual(program.succeeds('du', '-sh', 'm@1', 'm').lines, ['2.9 KiB\tm@1', '2.9 KiB\tm']);
  const [usage] = program.succeeds('du', '-s', '--json', 'm/pool').lines.map((line) => JSON.parse(line) as object);
  assert.deepEqual(usage, {
    ...{ type: 'usage', repository: 'm', number: 2, path: 'pool' },
    ...{ bytes: 3001, files: 3, directories: 2, symlinks: 1 },
  });
  for (const command of ['ls', 'find', 'du', 'cat']) program.fails(40, /no snapshot m@9/, command, 'm@9/pool');
});

/** Turns a bit in the node of an entry, wherever a shard of the home has it. */
function damage(ref: string): void {
  const [found = ''] = program.succeeds('find', ref, '--json').lines;
  const { digest } = parseCid((JSON.parse(found) as { cid: string }).cid);
  // A shard has it under a CID with the codec of raw bytes; the one that follows a tag and a length is that of a manifest's link.
  const cid = Buffer.concat([Buffer.from([1, 0x55, 0x12, 32]), digest]);
  const shards = join(program.home, 'peers/local/shards');
  for (const name of readdirSync(shards, { recursive: true, encoding: 'utf8' }).filter((it) => it.endsWith('.car'))) {
    const car = readFileSync(join(shards, name));
    for (let at = car.indexOf(cid); at >= 0; at = car.indexOf(cid, at + 1)) {
      if (car.readUInt16BE(at - 2) !== 0x0a24) car[at + cid.length] = (car[at + cid.length] as number) ^ 1;
    }
    chmodSync(join(shards, name), 0o644);
    writeFileSync(join(shards, name), car);
  }
}

test('what cannot be read is named, and all else is listed, found and counted', { skip: onlyInAll() }, () => {
  damage('m/pool/main/a.deb');
  const listed = program.ends(44, 'ls', '-R', 'm');
  assert.deepEqual(listed.lines, ['new', 'pool/', 'pool/b.deb', 'pool/gro\\xDF\\n', 'pool/latest', 'pool/main/']);
  assert.match(listed.stderr, /^not read: pool\/main\/a\.deb: block .*\nshardctl: 1 entry could not be read/);
  const found = program.ends(44, 'find', 'm/pool', '--name', '*.deb');
  assert.deepEqual(found.lines, ['m/pool/b.deb']);
  assert.match(found.stderr, /^not read: m\/pool\/main\/a\.deb: /);
  assert.deepEqual(program.ends(44, 'du', '-s', 'm').lines, ['11\tm']);
});

test('files are written one after the other, or a range of each', { skip: sample() }, () => {
  assert.equal(program.succeeds('cat', 'm/new', 'm@old/pool/b.deb', 'm/new').stdout, '0123456789b0123456789');
  assert.equal(program.succeeds('cat', 'm/new', '--range', '3-5').stdout, '345');
  assert.equal(program.succeeds('cat', 'm/new', '--range', '8-').stdout, '89');
  assert.equal(program.succeeds('cat', 'm/new', '--range', '-3').stdout, '789');
  program.fails(2, /"new" has 10 bytes: none from 10 on/, 'cat', 'm/new', '--range', '10-');
  writeFileSync(program.path('m/pool/empty'), '');
  program.succeeds('add', 'm', '-q');
  program.fails(2, /"pool\/empty" has 0 bytes: none from 0 on/, 'cat', 'm/pool/empty', '--range', '0-0');
  assert.equal(program.succeeds('cat', 'm/pool/empty', '--range', '-3').stdout, '');
  for (const range of ['5-3', '-', 'a-b', '1']) program.fails(2, /is not FROM-TO/, 'cat', 'm/new', '--range', range);
});

test('with -0 names are what they are, and end in NUL', { skip: sample() }, async () => {
  const found = program.start('find', 'm', '--name', 'gro*', '-0');
  const parts: Buffer[] = [];
  found.stdout?.on('data', (part: Buffer) => parts.push(part));
  await once(found, 'close');
  assert.equal(Buffer.concat(parts).toString('latin1'), 'm/pool/gro\xdf\n\0');
});
