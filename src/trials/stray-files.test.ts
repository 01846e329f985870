/** What file systems, desktops and people leave in our directories is not ours: it stays, and nothing fails because of it. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { oneIn } from '../testing/depth.ts';
import { Program } from '../testing/program.ts';

const sample = oneIn(6);

const FILES = ['.DS_Store', 'README', '.nfs000000000000000100000001', '.fuse_hidden0000000100000001', 'Thumbs.db', 'leaving.x.y', 'zz'];
const APPLE_DOUBLES = ['._0000000000.run', '._1.pending', '._12-aabbccddeeff.json', '._1.hot', '._00000000.car', '._afb190fbcd20.note'];
const DIRECTORIES = ['lost+found', 'old.car', '0.json'];

let program: Program;
beforeEach(() => {
  program = new Program();
  mkdirSync(program.path('m'));
});
afterEach(() => program.dispose());

function* directoriesIn(path: string): Iterable<string> {
  yield path;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory() && !DIRECTORIES.includes(entry.name)) yield* directoriesIn(join(path, entry.name));
}

/** Puts all of them into each directory, as old as files come. @returns where they are */
function litter(...places: string[]): string[] {
  return places.flatMap((place) =>
    [...directoriesIn(place)].flatMap((directory) => {
      for (const name of [...FILES, ...APPLE_DOUBLES]) {
        if (name === 'zz' && existsSync(join(directory, name))) continue;
        if (!existsSync(join(directory, name))) writeFileSync(join(directory, name), 'not ours');
      }
      for (const name of DIRECTORIES) {
        mkdirSync(join(directory, name), { recursive: true });
        chmodSync(join(directory, name), 0);
      }
      return [...FILES, ...APPLE_DOUBLES, ...DIRECTORIES].map((name) => join(directory, name));
    }),
  );
}

function change(): void {
  writeFileSync(program.path('m', 'a'), `${Math.random()}`);
}

for (const layout of ['car', 'blockstore']) {
  test(`a repository lives through it (${layout})`, { skip: sample() }, () => {
    const peer = program.path('peer');
    program.succeeds('peers', 'add', 'local', peer, '--layout', layout);
    change();
    program.succeeds('add', 'm');
    const strays = litter(program.home, peer);
    change();
    program.succeeds('update');
    program.succeeds('update');
    for (const command of [['verify', '--read-data'], ['repair'], ['status'], ['snapshots'], ['get', 'm', '-o', program.path('o')]])
      program.succeeds(...command);
    strays.push(...litter(program.home, peer));
    change();
    program.succeeds('update');
    program.succeeds('forget', 'm', '--keep-last', '1');
    program.succeeds('prune', '--max-unused', '0');
    program.succeeds('verify', '--read-data');
    const gone = strays.filter((path) => lstatSync(path, { throwIfNoEntry: false }) === undefined);
    assert.deepEqual(gone, []);
    rmSync(program.home, { recursive: true });
    program.succeeds('recover', '--all', '--from', peer);
    program.succeeds('verify', '--read-data');
  });
}

test('a fresh disk or a share is a place for a home and for a peer', { skip: sample() }, () => {
  for (const place of ['home', 'peer']) {
    mkdirSync(program.path(place));
    mkdirSync(program.path(place, 'lost+found'), { mode: 0o700 });
    for (const name of ['.DS_Store', '._.DS_Store', '.nfs0000000000000001', 'Thumbs.db']) writeFileSync(program.path(place, name), '');
  }
  change();
  program.succeeds('peers', 'add', 'local', 'peer');
  program.succeeds('add', 'm');
});
