/** Bits that make a program run as its owner, or as a group: a tree from elsewhere gets them only when somebody says so. */
import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Event } from '../core/events.ts';
import { onlyInAll } from '../testing/depth.ts';
import { MemoryBlocks } from '../testing/memory-blocks.ts';
import { Program } from '../testing/program.ts';
import { Destination } from './destination.ts';
import { get } from './get.ts';

let dir: string;
let events: Event[];
const emit = (event: Event) => events.push(event);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-bits-'));
  events = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('setuid, setgid and sticky bits are restored only where they are asked for, and one line says how many were not', async () => {
  const source = join(dir, 'source');
  const modes = { '': 0o3775, program: 0o6755, sub: 0o2770, 'sub/plain': 0o640 };
  mkdirSync(join(source, 'sub'), { recursive: true });
  writeFileSync(join(source, 'program'), 'x');
  writeFileSync(join(source, 'sub/plain'), 'x');
  for (const [path, mode] of Object.entries(modes)) chmodSync(join(source, path), mode);
  const blocks = new MemoryBlocks();
  const root = await blocks.importTree(source);
  const restore = (out: string, specialBits: boolean) =>
    get({ root, path: '', out: join(dir, out), blocks, emit, signal: new AbortController().signal, specialBits });
  const modesIn = (out: string) => Object.keys(modes).map((path) => lstatSync(join(dir, out, path)).mode & 0o7777);
  await restore('with', true);
  assert.deepEqual(modesIn('with'), Object.values(modes));
  assert.deepEqual(
    events.filter(({ type }) => type === 'warning'),
    [],
  );
  await restore('without', false);
  assert.deepEqual(
    modesIn('without'),
    Object.values(modes).map((mode) => mode & 0o777),
  );
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^3 entries have setuid.*--special-bits/);
});

test('no mode is set through a symlink that was put in the place of a directory', async () => {
  const destination = new Destination({
    libc: undefined,
    overwrite: false,
    specialBits: true,
    warn: (message) => emit({ type: 'warning', message }),
  });
  const [out, victim] = [join(dir, 'out'), join(dir, 'victim')];
  mkdirSync(victim, { mode: 0o700 });
  destination.enterDirectory(out, { mode: 0o777, mtimeNs: undefined }, true);
  rmSync(out, { recursive: true });
  symlinkSync(victim, out);
  assert.throws(() => destination.leaveDirectory(out, { mode: 0o777, mtimeNs: undefined }));
  assert.equal(lstatSync(victim).mode & 0o777, 0o700);
});

test('a tree of this home has its special bits back; one that came as a CAR has not, is told of, and has them with --special-bits', {
  skip: onlyInAll(),
}, () => {
  const program = new Program();
  try {
    const [mirror, tool] = [program.path('mirror'), program.path('mirror/tool')];
    mkdirSync(mirror);
    writeFileSync(tool, 'x');
    chmodSync(tool, 0o4755);
    const restoredMode = (name: string, ...options: string[]) => {
      const out = program.path(`out-${name}${options.join('')}`);
      const { stderr } = program.succeeds('get', name, '-o', out, '--no-progress', ...options);
      return [(lstatSync(join(out, 'tool')).mode & 0o7777).toString(8), stderr] as const;
    };
    program.succeeds('add', mirror);
    program.succeeds('export', 'mirror', '--car', 'mirror.car');
    program.succeeds('import-car', 'mirror.car', '--name', 'copy');
    assert.deepEqual(restoredMode('mirror'), ['4755', '']);
    const [mode, stderr] = restoredMode('copy');
    assert.equal(mode, '755');
    assert.match(stderr, /^warning: 1 entry has setuid, setgid or sticky bits[^\n]*--special-bits[^\n]*\n$/);
    assert.deepEqual(restoredMode('copy', '--special-bits'), ['4755', '']);
  } finally {
    program.dispose();
  }
});
