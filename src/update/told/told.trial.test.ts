import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { onlyInAll, sampled } from '../../testing/depth.ts';
import { runInProcess } from '../../testing/in-process.ts';
import { without } from '../../testing/package-tools/required.ts';
import { Program } from '../../testing/program.ts';
import { writeTree } from '../../testing/tree.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-told-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** What one command told at its end. */
async function run(home: string, ...argv: string[]): Promise<Record<string, unknown>> {
  const { code, stdout } = await runInProcess(home, argv);
  const summary = stdout.split('\n').find((line) => line.includes('"type":"summary"'));
  assert.equal(code, 0, `${argv.join(' ')}: ${stdout}`);
  return JSON.parse(summary ?? '{}') as Record<string, unknown>;
}

const NAMES = ['a', 'a-b', 'b', 'c'];
const path = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
const edit = fc.record({
  kind: fc.constantFrom('write', 'write', 'mkdir', 'remove', 'link', 'chmod', 'touch'),
  path,
  /** Whether it is told, or one of the directories above is told as a whole. */
  how: fc.constantFrom('itself', 'parent/', 'NUL'),
});
type Edit = { readonly kind: string; readonly path: string; readonly how: string };

let clock = 1;
/** Makes an edit of the tree. What is in the way makes way. @returns paths that have changed */
function apply(root: string, { kind, path: of }: Edit): string[] {
  // Of a directory that goes, all that was in it has changed, whatever comes in its place.
  const isDirectory = !isBelowFile(root, of) && lstatSync(join(root, of), { throwIfNoEntry: false })?.isDirectory() === true;
  const changed = isDirectory && kind !== 'touch' && kind !== 'chmod' && kind !== 'mkdir' ? [`${of}/`] : [of];
  const at = join(root, of);
  const stat = isBelowFile(root, of) ? undefined : lstatSync(at, { throwIfNoEntry: false });
  if (kind === 'remove' && stat === undefined) return [];
  if (kind === 'remove') {
    rmSync(at, { recursive: true, force: true });
    return changed;
  }
  if ((kind === 'chmod' || kind === 'touch') && (stat === undefined || stat.isSymbolicLink())) return [];
  if (kind === 'chmod') chmodSync(at, stat?.isDirectory() ? 0o700 + (clock++ % 8) : 0o600 + (clock++ % 8));
  else if (kind === 'touch') utimesSync(at, clock++, clock++);
  else {
    for (let above = dirname(of); above !== '.'; above = dirname(above)) {
      if (!isBelowFile(root, above) && lstatSync(join(root, above), { throwIfNoEntry: false })?.isDirectory() === false) {
        rmSync(join(root, above));
        changed.push(above);
      }
    }
    mkdirSync(dirname(at), { recursive: true });
    if (stat !== undefined && !(kind === 'mkdir' && stat.isDirectory())) rmSync(at, { recursive: true, force: true });
    if (kind === 'mkdir') mkdirSync(at, { recursive: true });
    else if (kind === 'link') symlinkSync(`to ${clock++}`, at);
    else writeFileSync(at, `content ${clock++}\n`.repeat(clock % 7));
  }
  return changed;
}

function isBelowFile(root: string, of: string): boolean {
  for (let above = dirname(of); above !== '.'; above = dirname(above)) {
    const stat = isBelowFile(root, above) ? undefined : lstatSync(join(root, above), { throwIfNoEntry: false });
    if (stat !== undefined && !stat.isDirectory()) return true;
  }
  return false;
}

function toldAs(changed: readonly string[], { how }: Edit): string[] {
  // A whole directory that is told has what its own change was, too: that of the parent would do.
  return how === 'parent/' ? changed.map((it) => (dirname(it) === '.' ? it : `${dirname(it)}/`)) : [...changed];
}

test('an update that is told what has changed makes the tree, the counts and the entries that a look at everything makes', async () => {
  let round = 0;
  const law = fc.asyncProperty(
    fc.array(edit, { minLength: 1, maxLength: 20 }),
    fc.array(fc.array(edit, { maxLength: 6 }), { minLength: 1, maxLength: 3 }),
    fc.constantFrom([], ['--no-metadata'], ['--exclude', 'c']),
    fc.boolean(),
    async (first, later, options, isLarge) => {
      const home = join(dir, `${round++}`);
      const source = join(dir, 'sources', `${round}`);
      mkdirSync(source, { recursive: true });
      // Beside this what is told is little, and stays a patch of the entries from one run to the next.
      if (isLarge) writeTree(source, { large: Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`l${i}`, `${i}`])) });
      for (const it of first) apply(source, it);
      await run(home, 'add', source, '--name', 'm', ...options);
      for (const edits of later) {
        const told = edits.flatMap((it) => toldAs(apply(source, it), it));
        const list = join(dir, 'list');
        const nul = edits.some(({ how }) => how === 'NUL');
        writeFileSync(list, nul ? told.map((it) => `${it}\0`).join('') : told.join('\n'));
        const { tree, files, directories, symlinks, bytes } = await run(home, 'update', 'm', '--files-from', list, '--max-delete', 'none');
        const other = join(dir, `${round}-whole`);
        const whole = await run(other, 'add', source, '--name', 'm', ...options);
        rmSync(other, { recursive: true });
        const expected = [whole.tree, whole.files, whole.directories, whole.symlinks, whole.bytes];
        assert.deepEqual([tree, files, directories, symlinks, bytes], expected, `told ${JSON.stringify(told)}`);
      }
      // The entries are those of the whole: the next look at everything finds nothing to do.
      const again = await run(home, 'update', 'm', '--ignore-ctime');
      assert.deepEqual([again.unchanged, again.changedEntries], [true, 0]);
      rmSync(home, { recursive: true });
    },
  );
  await fc.assert(law, { numRuns: sampled(2, 30), includeErrorInReport: true, endOnFailure: true });
});

test('only what is told is looked at, until everything is', { skip: onlyInAll() }, () => {
  const program = new Program();
  try {
    const source = program.path('m');
    mkdirSync(join(source, 'a/b'), { recursive: true });
    for (const name of ['a/one', 'a/b/two', 'three']) writeFileSync(join(source, name), name);
    program.succeeds('add', 'm', '-q');
    writeFileSync(join(source, 'a/one'), 'told');
    writeFileSync(join(source, 'three'), 'not told');
    written(program, 'list', 'a/one\n');
    const dry = program.succeeds('update', 'm', '-n', '--files-from', program.path('list'));
    assert.match(dry.stdout, /^>f\S+ a\/one$/m);
    assert.doesNotMatch(dry.stdout, /three/);
    program.succeeds('update', 'm', '-q', '--files-from', program.path('list'));
    assert.equal(program.succeeds('cat', 'm/a/one').stdout, 'told');
    assert.equal(program.succeeds('cat', 'm/three').stdout, 'three');
    program.succeeds('update', 'm', '-q', '--files-from', program.path('list'), '--full-every', '1d');
    assert.equal(program.succeeds('cat', 'm/three').stdout, 'three');
    program.succeeds('update', 'm', '-q');
    assert.equal(program.succeeds('cat', 'm/three').stdout, 'not told');
    program.fails(2, /leads out of the source/, 'update', 'm', '--files-from', written(program, 'bad', '../x\n'));
    program.fails(2, /cannot read .*: ENOENT/, 'update', 'm', '--files-from', program.path('none'));
    program.fails(2, /goes with --files-from/, 'update', 'm', '--full-every', '7d');
    program.fails(2, /told of one repository/, 'update', '--all', '--files-from', program.path('list'));
    // A list of which everything is gone is stopped as a disk that is not mounted would be.
    rmSync(source, { recursive: true });
    mkdirSync(source);
    program.fails(25, /the source is empty/, 'update', 'm', '--files-from', written(program, 'all', 'a\nthree\n'));
  } finally {
    program.dispose();
  }
});

/** @returns its path */
function written(program: Program, name: string, text: string): string {
  writeFileSync(program.path(name), text, 'latin1');
  return program.path(name);
}

test('the log of the rsync that has just mirrored is enough to tell', { skip: onlyInAll(without('rsync', 'rsync')) }, () => {
  const program = new Program();
  try {
    const [upstream, source] = [program.path('upstream'), program.path('m')];
    mkdirSync(join(upstream, 'pool/x'), { recursive: true });
    for (const name of ['keep', 'pool/changed', 'pool/gone', 'pool/x/deep']) writeFileSync(join(upstream, name), name);
    const names = [Buffer.from('caf\xe9', 'latin1'), Buffer.from('a => b -> c'), Buffer.from('sp ace')];
    const sync = (...more: string[]) => {
      const { status, stdout } = spawnSync('rsync', ['-a', '--delete', ...more, `${upstream}/`, `${source}/`]);
      assert.equal(status, 0);
      return stdout;
    };
    sync();
    program.succeeds('add', 'm', '-q');
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${upstream}/`), name]), 'new');
    writeFileSync(join(upstream, 'pool/changed'), 'otherwise');
    rmSync(join(upstream, 'pool/gone'));
    rmSync(join(upstream, 'pool/x'), { recursive: true });
    symlinkSync('a => b -> c', join(upstream, 'link -> odd'));
    const log = program.path('rsync.log');
    const items = written(program, 'items', sync('-i', `--log-file=${log}`).toString('latin1'));
    assert.ok(readdirSync(source).length > 4);
    const copy = program.path('copy');
    cpSync(program.path('home'), copy, { recursive: true });
    program.succeeds('update', 'm', '-q', '--from-rsync', log);
    const byLog = program.succeeds('status', '-Q').stdout;
    program.succeeds('update', 'm', '-q', '--from-rsync', items, '--home', copy);
    assert.equal(program.succeeds('status', '-Q', '--home', copy).stdout, byLog);
    assert.match(program.succeeds('update', 'm').stdout, /nothing has changed/);
  } finally {
    program.dispose();
  }
});
