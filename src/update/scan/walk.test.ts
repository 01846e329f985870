import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../../core/events.ts';
import { type ByteString, DIRECTORY, type EntryKind, FILE, SYMLINK } from '../../core/model.ts';
import { fsPath, joinBytes, keyOf, toBytes } from '../../core/path-bytes.ts';
import { type ModelTree, plannedEntries, treeOf } from '../../testing/model-tree.ts';
import { writeTree } from '../../testing/tree.ts';
import { openBy, WAYS } from '../../testing/ways.ts';
import { DROPPED, NEW } from '../../walk/directory.ts';
import { compileFilter } from './filter.ts';
import { walk } from './walk.ts';

test('as long as it is not known what to say of a directory, the walk pauses, and then it says the same', () => {
  const source = mkdtempSync(join(tmpdir(), 'shardctl-source-'));
  writeTree(source, { a: 'one', sub: { b: 'two', deep: { c: 'three' } } });
  const asked: string[] = [];
  const recall = {
    // Ready when asked for the third time.
    isReady: (path: string) => asked.push(path) % 3 === 0,
    same: () => undefined,
    directory: () => undefined,
  };
  const steps = (its: object) => {
    const { signal } = new AbortController();
    const options = { filter: compileFilter([]), emit: () => {}, signal, ...its };
    const opened = openBy('one call', toBytes(source));
    const taken = [...walk(opened, options)].map((step) => `${step.kind} ${'directory' in step ? step.directory.path : ''}`);
    opened.close();
    return taken;
  };
  const paused = steps({ recall });
  rmSync(source, { recursive: true });
  assert.deepEqual(asked, ['', '', '', 'sub', 'sub', 'sub', 'sub/deep', 'sub/deep', 'sub/deep']);
  const two = ['pause ', 'pause '];
  assert.deepEqual(paused, [...two, 'enter ', ...two, 'enter sub', ...two, 'enter sub/deep', 'leave sub/deep', 'leave sub', 'leave ']);
});

/** Makes the tree on disk; its names are bytes. */
function make(root: ByteString, tree: ModelTree): void {
  for (const [path, { kind, size, mode }] of tree) {
    const at = fsPath(`${root}/${path}`);
    if (kind === DIRECTORY) mkdirSync(at);
    else if (kind === FILE) writeFileSync(at, 'x'.repeat(size));
    else symlinkSync('nowhere', at);
    if (kind === FILE) chmodSync(at, mode);
  }
}

/** What the walk says of each entry. */
interface Listed {
  readonly kind: EntryKind;
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
}

/** The same by recursion, without an order. */
function listed(
  root: ByteString,
  excludes: (path: ByteString) => boolean,
  dir = '',
  all = new Map<ByteString, Listed>(),
): Map<ByteString, Listed> {
  for (const name of readdirSync(fsPath(`${root}/${dir}`), 'latin1')) {
    const path = joinBytes(dir, name);
    if (excludes(path)) continue;
    const stat = lstatSync(fsPath(`${root}/${path}`), { bigint: true });
    const kind = stat.isDirectory() ? DIRECTORY : stat.isFile() ? FILE : SYMLINK;
    const { size, mtimeNs, ctimeNs, ino: inode } = stat;
    all.set(path, { kind, mode: Number(stat.mode) & 0o7777, size: Number(size), mtimeNs, ctimeNs, inode });
    if (kind === DIRECTORY) listed(root, excludes, path, all);
  }
  return all;
}

test('the walk says of every entry what lstat says, directories in the order of their paths with a slash, names by bytes', () => {
  const source = toBytes(mkdtempSync(join(tmpdir(), 'shardctl-walk-')));
  let run = 0;
  fc.assert(
    fc.property(plannedEntries, fc.array(fc.nat(60), { maxLength: 4 }), fc.constantFrom(...WAYS), (planned, hidden, way) => {
      const root = `${source}/${run++}`;
      mkdirSync(root);
      const tree = treeOf(planned);
      make(root, tree);
      const paths = [...tree.keys()];
      const excluded = new Set(hidden.map((i) => paths[i]));
      const excludes = (path: ByteString) => excluded.has(path);
      const seen = new Map<ByteString, Listed>();
      const open: ByteString[] = [];
      let last: string | undefined;
      const options = {
        filter: { excludes },
        emit: (event: Event) => assert.fail(event.type),
        signal: new AbortController().signal,
      };
      const opened = openBy(way, root);
      for (const step of walk(opened, options)) {
        assert.ok(step.kind === 'enter' || step.kind === 'leave');
        const { directory } = step;
        if (step.kind === 'leave') {
          assert.equal(open.pop(), directory.path);
          continue;
        }
        open.push(directory.path);
        assert.ok(last === undefined || last < keyOf(directory.path), directory.path);
        last = keyOf(directory.path);
        assert.deepEqual(directory.names, [...directory.names].sort());
        for (const i of directory.live()) {
          const [kind, mode, size] = [directory.kinds[i] as EntryKind, directory.modes[i] as number, directory.sizes[i] as number];
          const [ctimeNs, inode] = [directory.ctimes[i] as bigint, directory.inodes[i] as bigint];
          seen.set(joinBytes(directory.path, directory.names[i] as string), {
            kind,
            mode,
            size,
            mtimeNs: directory.mtimeNs(i),
            ctimeNs,
            inode,
          });
          assert.equal(directory.states[i], NEW);
        }
      }
      opened.close();
      assert.deepEqual(open, []);
      const bytes = (all: ReadonlyMap<string, unknown>) => [...all].sort(([a], [b]) => (a < b ? -1 : 1));
      assert.deepEqual(bytes(seen), bytes(listed(root, excludes)));
    }),
    { numRuns: 60 },
  );
  rmSync(source, { recursive: true });
});

test('what is neither file, directory nor symlink is named, and is no entry', () => {
  const source = mkdtempSync(join(tmpdir(), 'shardctl-walk-'));
  execFileSync('mkfifo', [join(source, 'fifo')]);
  const events: Event[] = [];
  const options = { filter: compileFilter([]), emit: (event: Event) => void events.push(event), signal: new AbortController().signal };
  const opened = openBy('one call', toBytes(source));
  const [first] = walk(opened, options);
  opened.close();
  rmSync(source, { recursive: true });
  assert.ok(first?.kind === 'enter');
  assert.deepEqual([...first.directory.states], [DROPPED]);
  assert.deepEqual(events, [{ type: 'entry', problem: 'special', path: 'fifo', detail: 'a FIFO: skipped' }]);
});
