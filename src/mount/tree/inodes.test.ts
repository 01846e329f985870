import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DAG_PB, DIRECTORY, FILE } from '../../core/model.ts';
import { sha256 } from '../../dag/cid.ts';
import { type EntryFacts, type Inode, Inodes, ROOT_NODE } from './inodes.ts';

function facts(kind: typeof FILE | typeof DIRECTORY, content: string): EntryFacts {
  return { kind, codec: DAG_PB, digest: sha256(Buffer.from(content)), size: content.length, mode: 0o644, mtimeNs: 0n };
}

const ROOT = facts(DIRECTORY, 'root');

test('an entry is there exactly as long as the kernel has not forgotten it as often as it was handed out', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('look' as const), name: fc.constantFrom('a', 'b', 'c', 'd'), content: fc.nat(2) }),
    fc.record({ do: fc.constant('forget' as const), which: fc.nat(), times: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant('replace' as const), which: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const inodes = new Inodes(ROOT);
      /** The slow model: times that the kernel has each, and which has the name. */
      const times = new Map<number, number>();
      const named = new Map<string, { number: number; content: number }>();
      const known: Inode[] = [];
      for (const taken of steps) {
        if (taken.do === 'look') {
          const inode = inodes.childOf(inodes.root, taken.name, facts(FILE, `${taken.content}`));
          const before = named.get(taken.name);
          assert.equal(inode.number === before?.number, before?.content === taken.content);
          inodes.handedOut(inode);
          times.set(inode.number, (times.get(inode.number) ?? 0) + 1);
          named.set(taken.name, { number: inode.number, content: taken.content });
          known.push(inode);
        } else if (known.length > 0) {
          const inode = known[taken.which % known.length] as Inode;
          const left = times.get(inode.number) ?? 0;
          if (taken.do === 'forget') {
            inodes.forget(inode.number, Math.min(taken.times, left));
            times.set(inode.number, Math.max(0, left - taken.times));
            if (left <= taken.times && named.get(inode.name)?.number === inode.number) named.delete(inode.name);
          } else {
            inodes.replaced(inode);
            if (named.get(inode.name)?.number === inode.number) named.delete(inode.name);
          }
        }
        for (const [number, left] of times) assert.equal(inodes.get(number) !== undefined, left > 0);
        assert.equal(inodes.root.children?.size ?? 0, named.size);
      }
      assert.equal(inodes.size, 1 + [...times.values()].filter((left) => left > 0).length);
    }),
  );
});

test('a directory keeps its number whatever is in it; a file that is other now has another one', () => {
  const inodes = new Inodes(ROOT);
  const directory = inodes.childOf(inodes.root, 'entry', facts(DIRECTORY, 'before'));
  inodes.handedOut(directory);
  assert.equal(inodes.childOf(inodes.root, 'entry', facts(DIRECTORY, 'after')), directory);
  const file = inodes.childOf(inodes.root, 'entry', facts(FILE, 'a file'));
  assert.notEqual(file.number, directory.number);
  assert.equal(directory.parent, undefined);
});

test('what stat calls an inode is the same when the kernel has forgotten it in between, and no two have the same', () => {
  const inodes = new Inodes(ROOT);
  const seen = new Set<string>();
  for (let i = 0; i < 20_000; i++) {
    const [low, high] = inodes.inoOf(inodes.root, `name${i}`);
    assert.deepEqual(inodes.inoOf(inodes.root, `name${i}`), [low, high]);
    seen.add(`${low} ${high}`);
  }
  assert.equal(seen.size, 20_000);
  assert.notDeepEqual(new Inodes(ROOT).inoOf(inodes.root, 'name'), inodes.inoOf(inodes.root, 'name'));
});

test('the root is never forgotten', () => {
  const inodes = new Inodes(ROOT);
  inodes.forget(ROOT_NODE, 1000);
  assert.equal(inodes.get(ROOT_NODE), inodes.root);
});

test('with too many entries those are to be forgotten that were handed out first and have none below them', () => {
  const inodes = new Inodes(ROOT, 100);
  const directory = inodes.childOf(inodes.root, 'directory', facts(DIRECTORY, 'd'));
  inodes.handedOut(directory);
  for (let i = 0; i < 120; i++) inodes.handedOut(inodes.childOf(directory, `${i}`, facts(FILE, `${i}`)));
  const surplus = [...inodes.surplus()].map(({ name }) => name);
  assert.deepEqual(
    surplus,
    Array.from({ length: surplus.length }, (_, at) => `${at}`),
  );
  assert.ok(surplus.length >= 22 && surplus.length <= 30);
  // Those were asked for: if they are in use, others are next.
  assert.ok([...inodes.surplus()].every(({ name }) => !surplus.includes(name)));
});
