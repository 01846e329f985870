import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DAG_PB, DIGEST_BYTES, DIRECTORY, FILE, RAW } from '../../core/model.ts';
import type { EntriesReader } from '../../index/entries/reader.ts';
import { digestOf } from '../../testing/model-tree.ts';
import { CHANGED, CID_COLUMN_BYTES, Directory, type EntryState, METADATA, NEW, SAME } from '../../walk/directory.ts';
import type { FilledStep } from '../../walk/walk-step.ts';
import { takeOver } from './take-over.ts';

/** An entry now, and in the parent. */
interface Planned {
  readonly state: EntryState;
  readonly kind: typeof FILE | typeof DIRECTORY;
  /** Undefined: the parent does not have it. */
  readonly before: { readonly kind: typeof FILE | typeof DIRECTORY; readonly cid: 'a' | 'b' | undefined } | undefined;
  /** What an import has given it. */
  readonly imported: 'a' | 'b' | undefined;
}

const kinds = fc.constantFrom<(typeof FILE | typeof DIRECTORY)[]>(FILE, DIRECTORY);
const entry: fc.Arbitrary<Planned> = fc
  .record({
    state: fc.constantFrom<EntryState[]>(NEW, CHANGED, SAME, METADATA),
    kind: kinds,
    before: fc.option(fc.record({ kind: kinds, cid: fc.constantFrom('a' as const, 'b' as const, undefined) }), { nil: undefined }),
    imported: fc.constantFrom('a' as const, 'b' as const),
  })
  // What is the same is in the parent, and was not imported; what is new is not in the parent; directories are linked later.
  .map((it) => ({
    ...it,
    before: it.state === NEW ? undefined : (it.before ?? { kind: it.kind, cid: 'a' as const }),
    imported: it.state === SAME || it.kind === DIRECTORY ? undefined : it.imported,
  }))
  .map((it) => (it.state === SAME && it.before !== undefined ? { ...it, before: { ...it.before, kind: it.kind } } : it));

const SIZES = { a: 10, b: 20 } as const;

function directoryOf(all: readonly Planned[], kept: boolean): { directory: Directory; entries: EntriesReader } {
  const directory = new Directory(
    'd',
    undefined,
    -1,
    all.map((_, i) => `f${String(i).padStart(3, '0')}`),
  );
  directory.kept = kept;
  const inParent = all.flatMap(({ before }) => (before === undefined ? [] : [before]));
  const indexes = new Int32Array(all.length).fill(-1);
  let at = 0;
  for (const [i, { state, kind, before, imported }] of all.entries()) {
    directory.kinds[i] = kind;
    directory.states[i] = state;
    if (before !== undefined) indexes[i] = at++;
    if (imported !== undefined) directory.setRoot(i, RAW, digestOf(imported), 0, SIZES[imported]);
  }
  directory.base = { ordinal: 3, indexes, kinds: Uint8Array.from(inParent, ({ kind }) => kind), removed: [], count: inParent.length };
  const cids = Buffer.alloc(inParent.length * CID_COLUMN_BYTES);
  const dagSizes = new Float64Array(inParent.length);
  for (const [i, { kind, cid }] of inParent.entries()) {
    if (cid === undefined) continue;
    cids[i * CID_COLUMN_BYTES] = kind === DIRECTORY ? DAG_PB : RAW;
    cids.set(digestOf(cid), i * CID_COLUMN_BYTES + 1);
    dagSizes[i] = SIZES[cid];
  }
  const cold = (ordinal: number, count: number) => {
    assert.deepEqual([ordinal, count], [3, inParent.length]);
    return { cids, dagSizes };
  };
  return { directory, entries: { cold } as unknown as EntriesReader };
}

function rootOf({ cids, dagSizes }: Directory, i: number): [string, number] | undefined {
  const at = i * CID_COLUMN_BYTES;
  if (cids === undefined || cids[at] === 0) return undefined;
  return [cids.subarray(at + 1, at + 1 + DIGEST_BYTES).toString('hex'), dagSizes?.[i] as number];
}

test('what is the same has the parent’s CID, what came out the same counts as the same, and a directory that differs has its old one', async () => {
  const law = fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 20 }), fc.boolean(), async (all, kept) => {
    const { directory, entries } = directoryOf(all, kept);
    const steps = (async function* (): AsyncGenerator<FilledStep> {
      yield { kind: 'filled', directory };
    })();
    for await (const step of takeOver(steps, entries)) assert.equal(step.kind, 'filled');
    let refreshed = 0;
    for (const [i, { state, kind, before, imported }] of all.entries()) {
      let wanted: EntryState | undefined = state;
      let cid = imported;
      if (state === SAME && before?.cid === undefined) {
        wanted = kept ? undefined : NEW;
        cid = undefined;
      } else if (state === SAME) cid = before?.cid;
      else if (kind === DIRECTORY && before?.kind === DIRECTORY) cid = before.cid;
      else if (state === CHANGED && imported !== undefined && imported === before?.cid && before.kind === FILE) {
        wanted = SAME;
        refreshed++;
      }
      assert.equal(directory.live().includes(i), wanted !== undefined, `${i}`);
      if (wanted !== undefined) assert.equal(directory.states[i], wanted, `${i}`);
      assert.deepEqual(rootOf(directory, i), cid === undefined ? undefined : [digestOf(cid).toString('hex'), SIZES[cid]], `${i}`);
    }
    assert.equal(directory.refreshed, refreshed);
  });
  await fc.assert(law, { numRuns: 300 });
});

test('without a parent, and for a directory that the parent does not have, nothing is taken', async () => {
  const directory = new Directory('d', undefined, -1, ['f']);
  const steps = async function* (): AsyncGenerator<FilledStep> {
    yield { kind: 'filled', directory };
  };
  const unread = { cold: () => assert.fail('the parent is read') } as unknown as EntriesReader;
  for (const base of [undefined, unread]) for await (const _ of takeOver(steps(), base)) assert.equal(directory.cids, undefined);
});
