import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { joinBytes, keyOf } from '../../core/path-bytes.ts';
import { entriesOf, type ModelEntry, type ModelTree, type Planned, plannedEntries, treeOf, walkOf } from '../../testing/model-tree.ts';
import { CHANGED, type EntryState, METADATA, NEW, NO_CTIME, SAME } from '../../walk/directory.ts';
import type { WalkStep } from '../../walk/walk-step.ts';
import { compare } from './compare.ts';
import type { JudgeOptions } from './judge.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-compare-'));
});
after(() => rmSync(dir, { recursive: true }));

const trust = fc.record({ ignoreCtime: fc.boolean(), ignoreInode: fc.boolean(), checksum: fc.boolean(), metadata: fc.boolean() });

/** The parent and what is there now: much in both, some in one alone, some otherwise, some that cannot be read now. */
const pairs = fc
  .record({
    both: plannedEntries,
    before: plannedEntries,
    now: plannedEntries,
    failing: fc.array(fc.tuple(fc.nat(60), fc.constantFrom('look' as const, 'list' as const)), { maxLength: 3 }),
  })
  .map(({ both, before: old, now, failing }) => ({
    parent: treeOf([...old, ...both]),
    tree: treeOf(withFailures([...now, ...both], failing)),
  }));

function withFailures(planned: readonly Planned[], failing: readonly (readonly [number, 'look' | 'list'])[]): Planned[] {
  return planned.map((it, i) => {
    const fails = failing.find(([at]) => at === i)?.[1];
    return fails === undefined || (fails === 'list' && it.entry.kind !== DIRECTORY) ? it : { ...it, entry: { ...it.entry, fails } };
  });
}

interface Seen {
  readonly kind: number;
  readonly mode: number;
  readonly ctimeNs: bigint;
  readonly state: EntryState | number;
}

/** What comes out of the stage, entry by entry, and what it was told of as removed; checks the order of the walk on the way. */
function compared(tree: ModelTree, parent: ModelTree | undefined, options: JudgeOptions) {
  const seen = new Map<ByteString, Seen>();
  const removed: ByteString[] = [];
  const open: ByteString[] = [];
  let last: string | undefined;
  const base = parent === undefined ? undefined : entriesOf(parent, join(dir, '1'));
  for (const step of compare(walkOf(tree), base, { ...options, onRemoved: (path) => removed.push(path) }) as Iterable<WalkStep>) {
    assert.ok(step.kind === 'enter' || step.kind === 'leave');
    const { directory } = step;
    if (step.kind === 'enter') {
      assert.ok(last === undefined || last < keyOf(directory.path), `${directory.path} after ${last}`);
      last = keyOf(directory.path);
      open.push(directory.path);
      continue;
    }
    assert.equal(open.pop(), directory.path);
    // Only now: what could not be listed is dropped from a directory that was entered before.
    for (const i of directory.live()) {
      const [kind, mode, ctimeNs, state] = [directory.kinds[i], directory.modes[i], directory.ctimes[i], directory.states[i]];
      seen.set(joinBytes(directory.path, directory.names[i] as string), { kind, mode, ctimeNs, state } as Seen);
    }
  }
  assert.deepEqual(open, []);
  base?.close();
  return { seen, removed };
}

/** The same by two lookups an entry. */
function expected(tree: ModelTree, parent: ModelTree, options: JudgeOptions) {
  const seen = new Map<ByteString, Seen>();
  const kept: ByteString[] = [];
  const dropped: ByteString[] = [];
  for (const [path, now] of tree) {
    const old = parent.get(path);
    const asBefore = old?.kind === DIRECTORY && (now.fails === 'look' || now.fails === 'list');
    if (asBefore) kept.push(`${path}/`);
    // Nobody knows what it is now, or a new directory that nobody may list.
    if ((now.fails === 'look' && old === undefined) || (now.fails === 'list' && !asBefore)) dropped.push(path);
    else if (now.fails === 'look' && old !== undefined) seen.set(path, { kind: old.kind, mode: old.mode, ctimeNs: NO_CTIME, state: SAME });
    else seen.set(path, judged(now, old, options));
  }
  const isKept = (path: ByteString) => kept.some((top) => path.startsWith(top));
  const removed: ByteString[] = [];
  for (const [path, old] of parent) {
    if (isKept(path)) seen.set(path, { kind: old.kind, mode: old.mode, ctimeNs: old.ctimeNs, state: SAME });
    else if (!tree.has(path)) removed.push(path);
  }
  return { seen, removed };
}

function judged(now: ModelEntry, old: ModelEntry | undefined, { metadata, checksum, ignoreCtime, ignoreInode }: JudgeOptions): Seen {
  const as = (state: EntryState, ctimeNs = now.ctimeNs): Seen => ({ kind: now.kind, mode: now.mode, ctimeNs, state });
  if (old === undefined) return as(NEW);
  if (old.kind !== now.kind) return as(CHANGED);
  const sameMtime = old.mtimeNs === now.mtimeNs;
  const sameMode = old.mode === now.mode;
  if (now.kind === DIRECTORY) return as(!metadata || (sameMtime && sameMode) ? SAME : CHANGED);
  if (old.size !== now.size || !sameMtime || (checksum && now.kind === FILE)) return as(CHANGED);
  if ((old.ctimeNs !== now.ctimeNs && !ignoreCtime) || (old.inode !== now.inode && !ignoreInode)) return as(CHANGED);
  const ctimeNs = ignoreCtime ? old.ctimeNs : now.ctimeNs;
  return as(sameMode ? SAME : now.kind === FILE ? METADATA : CHANGED, ctimeNs);
}

const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

test('each entry is judged as by looking it up in the parent, whatever the names, kinds that changed, and what cannot be read', () => {
  fc.assert(
    fc.property(pairs, trust, ({ parent, tree }, options) => {
      const is = compared(tree, parent, options);
      const right = expected(tree, parent, options);
      assert.deepEqual(sorted(is.seen), sorted(right.seen));
      assert.deepEqual(is.removed.sort(), right.removed.sort());
    }),
    { numRuns: 300 },
  );
});

test('without a parent everything is new', () => {
  fc.assert(
    fc.property(plannedEntries, (planned) => {
      const tree = treeOf(planned);
      const { seen, removed } = compared(tree, undefined, { ignoreCtime: false, ignoreInode: false, checksum: false, metadata: true });
      assert.deepEqual([...seen.keys()].sort(), [...tree.keys()].sort());
      assert.ok([...seen.values()].every(({ state }) => state === NEW));
      assert.deepEqual(removed, []);
    }),
  );
});

test('a tree compared with itself has nothing new, nothing changed and nothing removed', () => {
  fc.assert(
    fc.property(plannedEntries, trust, (planned, options) => {
      const tree = treeOf(planned);
      const { seen, removed } = compared(tree, tree, { ...options, checksum: false });
      assert.ok([...seen.values()].every(({ state }) => state === SAME));
      assert.deepEqual([seen.size, removed], [tree.size, []]);
    }),
  );
});
