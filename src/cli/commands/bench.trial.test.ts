/** A bench of somebody's own mirror: only what is right counts, and nothing stays of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { FETCH_DIRECTORY } from '../../core/fetch-directory.ts';
import { onlyInAll } from '../../testing/depth.ts';
import { listing } from '../../testing/listing.ts';
import { Program } from '../../testing/program.ts';

interface Benched {
  readonly type: string;
  readonly message?: string;
  readonly tools: Readonly<Record<string, string>>;
  readonly runs: readonly { readonly tool: string; readonly phase: string; readonly newBlocks?: number; readonly readBytes: number }[];
}

const skip = process.platform !== 'linux';
let program: Program;
let bin: string;
let mirror: string;
let dest: string;
before(() => {
  bin = mkdtempSync(join(tmpdir(), 'shardctl-bench-bin-'));
  // Programs that are installed are found after those that a test puts there.
  program = new Program({ PATH: `${bin}:${process.env.PATH}`, SHARDCTL_EXCLUDE: '*', RESTIC_REPOSITORY: '/nowhere' });
  [mirror, dest] = [program.path('mirror'), program.path('dest')];
  for (const folder of ['pool/a', 'pool/b']) {
    mkdirSync(join(mirror, folder), { recursive: true });
    for (let n = 0; n < 60; n++) writeFileSync(join(mirror, folder, `file ${n}`.replace(n % 2 === 0 ? ' ' : '', '')), `${folder} ${n}`);
  }
  symlinkSync('../a', join(mirror, 'pool', 'b', 'link'));
  // Two copies that `fetch` has made, one in the other.
  for (const folder of [mirror, join(mirror, 'pool')]) {
    mkdirSync(join(folder, FETCH_DIRECTORY));
    for (const mark of ['entries', 'lock']) writeFileSync(join(folder, FETCH_DIRECTORY, mark), '');
  }
  utimesSync(mirror, 1e9, 1e9);
  mkdirSync(dest);
});
after(() => {
  program.dispose();
  rmSync(bin, { recursive: true });
});
afterEach(() => {
  assert.deepEqual(readdirSync(dest), [], 'nothing stays');
  assert.ok(!existsSync(program.home), 'there is no home');
});

const COPIES = `${FETCH_DIRECTORY} is left out: what \`fetch\` keeps of its copies is no part of a mirror`;

function benched(...options: string[]): { readonly result: Benched; readonly warnings: readonly (string | undefined)[] } {
  const { lines } = program.succeeds('bench', mirror, '--rounds', '1', '--dest', dest, '--json', ...options);
  const events = lines.map((line) => JSON.parse(line) as Benched);
  return {
    result: events.find(({ type }) => type === 'benched') as Benched,
    warnings: events.filter(({ type }) => type === 'warning').map(({ message }) => message),
  };
}

test('the mirror is only read; an update of nothing stores nothing, and reads none of it', { skip }, () => {
  const before = listing(mirror);
  const page = program.path('page.html');
  linkSync(join(mirror, 'pool', 'a', 'file0'), page);
  const { result, warnings } = benched('--tools', 'none', '--html', page);
  assert.deepEqual(warnings, [COPIES]);
  assert.match(readFileSync(page, 'utf8'), /^<!DOCTYPE html>.*<svg.*nothing changed/s);
  assert.deepEqual(listing(mirror), before);
  assert.deepEqual(
    result.runs.map(({ tool, phase, newBlocks }) => [tool, phase, newBlocks !== undefined && newBlocks > 0]),
    [
      ['shardctl', 'add', true],
      ['shardctl', 'nothing changed', false],
      ['shardctl', 'get back', false],
      ['shardctl', '1 % new', true],
    ],
  );
});

test('a program that is not installed is named, and so is one whose result is wrong: none of its runs counts', {
  skip: skip || onlyInAll(),
}, () => {
  const script = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  // It copies all but the bytes of one file.
  script(
    'rsync',
    'case $1 in --version) echo fake; exit;; esac\nfor to; do from=$last; last=$to; done\nmkdir -p "$last"; cp -a "$from." "$last"; : > "$last/pool/a/file0"; touch -r "$from/pool/a/file0" "$last/pool/a/file0"',
  );
  script('restic', 'exit 1');
  const { result, warnings } = benched('--tools', 'rsync,restic');
  assert.deepEqual(Object.keys(result.tools), ['shardctl']);
  assert.ok(result.runs.every(({ tool }) => tool === 'shardctl'));
  assert.deepEqual(warnings, [
    'restic is not installed: left out',
    COPIES,
    'rsync is left out: what rsync gives back differs from the mirror: pool/a/file0: other bytes',
  ]);
});

test('whoever stops it finds nothing of it afterwards', { skip: skip || onlyInAll() }, async () => {
  for (const after of ['add', 'get back'])
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      const child = program.start('bench', mirror, '--rounds', '9', '--tools', 'none', '--dest', dest, '--json');
      let stopped = false;
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        if (stopped || !text.includes(`"label":"shardctl, ${after}`)) return;
        stopped = true;
        child.kill(signal);
      });
      const [code] = await once(child, 'close');
      assert.equal(code, signal === 'SIGINT' ? 130 : 143);
      assert.deepEqual(readdirSync(dest), []);
    }
});

test('nothing is made in a home or on its peers', { skip: skip || onlyInAll() }, () => {
  const env: NodeJS.ProcessEnv = {};
  const its = new Program(env);
  try {
    its.succeeds('peers', 'add', 'local', 'disk');
    mkdirSync(its.path('disk', 'bench'));
    env.TMPDIR = its.path('disk', 'bench');
    its.fails(2, /--dest \S+: that is in peer "disk" .*; name a place elsewhere with --dest/, 'bench', mirror);
    delete env.TMPDIR;
    its.fails(2, /--dest \S+: that is in peer "disk"/, 'bench', mirror, '--dest', 'disk/bench');
    its.fails(2, /--dest \S+: that is in the home/, 'bench', mirror, '--dest', its.home);
  } finally {
    its.dispose();
  }
});

test('where it cannot say to every program what is to be new, that is told', { skip: skip || onlyInAll() }, () => {
  const odd = program.path('a mirror');
  mkdirSync(odd);
  for (const name of ['a', 'b']) writeFileSync(join(odd, name), name);
  const { lines } = program.succeeds('bench', odd, '--rounds', '1', '--tools', 'none', '--dest', dest, '--json');
  const events = lines.map((line) => JSON.parse(line) as Benched);
  assert.ok(events.some(({ message }) => message?.startsWith('"1 % new" is not measured: the path of the mirror')));
  assert.deepEqual(
    events.flatMap(({ type, runs }) => (type === 'benched' ? runs.map(({ phase }) => phase) : [])),
    ['add', 'nothing changed', 'get back'],
  );
});

test('what has no room, or would write into the mirror, is refused before anything is made', { skip }, () => {
  program.fails(2, /--dest \S+ is in the mirror/, 'bench', mirror, '--dest', join(mirror, 'pool'));
  program.fails(2, /--html \S+ is in the mirror/, 'bench', mirror, '--dest', dest, '--html', join(mirror, 'page.html'));
  program.fails(2, /--html \S+ is a directory; name a file, such as/, 'bench', mirror, '--dest', dest, '--html', dest);
  program.fails(
    1,
    /no such directory|ENOENT|writing the page/,
    'bench',
    mirror,
    '--dest',
    dest,
    '--html',
    program.path('none', 'page.html'),
  );
  program.fails(2, /\(--dest\), which is no directory; make it with `mkdir -p/, 'bench', mirror, '--dest', 'nowhere');
  program.fails(2, /--rounds "0" is not a number/, 'bench', mirror, '--rounds', '0');
  program.fails(2, /--tools "tar" is none of/, 'bench', mirror, '--tools', 'rsync,tar');
  const huge = program.path('huge');
  mkdirSync(huge);
  writeFileSync(join(huge, 'image'), '');
  truncateSync(join(huge, 'image'), 2 ** 43);
  program.fails(43, /needs 16\.0 TiB in \S+, and .* are free/, 'bench', huge, '--tools', 'none', '--dest', dest);
});

test('a mirror whose path is not UTF-8 is refused in words, also where a symlink leads there', { skip }, () => {
  const odd = Buffer.concat([Buffer.from(program.path('odd')), Buffer.from([0xff])]);
  mkdirSync(odd);
  symlinkSync(odd, program.path('to-odd'));
  program.fails(2, /leads to a directory whose path is not UTF-8; rename it/, 'bench', program.path('to-odd'), '--dest', dest);
});
