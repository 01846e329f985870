/** The laws of the gate, on small mirrors of each kind with damage of every kind. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { GATE_KINDS, type GateSetting, type Verdict } from '../core/verdict.ts';
import { sampled } from '../testing/depth.ts';
import { judgedTree, type PlainTree } from '../testing/judged-tree.ts';
import { builders, contradictions, type KnownIndexes, versions } from '../testing/plain-mirrors.ts';
import { packageGate } from './package-gate.ts';

const signal = new AbortController().signal;
const AUTO: GateSetting = { kinds: 'auto', action: 'hold', keyrings: [] };
const LEAF = { leafBytes: 1000 };

async function judge(files: PlainTree, before?: PlainTree, head?: PlainTree): Promise<Verdict> {
  return await packageGate(AUTO)(judgedTree(files, before, LEAF, head), signal);
}

function namesOf({ contradictions: all, count }: Verdict): readonly string[] {
  assert.equal(all.length, count);
  return all.map(({ what, index, path }) => `${what} ${index} ${path}`).sort();
}

/** `primary.xml` is named by its hash, and any packing of an index is that index. */
const placeOf = (text: string) => text.replace(/[0-9a-f]{64}-(?=\S+ )/, '').replace(/\.gz(?= )/, '');

interface Head {
  readonly files: PlainTree;
  readonly contradictions: readonly string[];
  /** `INDEX PATH` of each file that its indexes of packages name. */
  readonly listed: ReadonlySet<string>;
}

/** Those of a tree that its head does not have at the same place, with the same bytes, and that are not left out as the head leaves out others. */
function newOnes(of: readonly string[], files: PlainTree, head: Head): readonly string[] {
  const old = new Set(head.contradictions.map(placeOf));
  const bytesAt = (tree: PlainTree, text: string) => String(tree.get(text.split(' ')[2] ?? ''));
  return of.filter((text) => (!old.has(placeOf(text)) || bytesAt(files, text) !== bytesAt(head.files, text)) && !isLeftOut(text, head));
}

function isLeftOut(text: string, head: Head): boolean {
  const [what, index, path = ''] = placeOf(text).split(' ');
  if (what !== 'missing' || head.files.has(path)) return false;
  const nameOf = (at: string) => at.replace(/^packages\/../, '').replace(/[-_]\d+(?=[.-])/, '');
  const all = [...head.listed].map((line) => placeOf(line).split(' ')).filter(([by]) => by === index);
  const has = ([, at = '']: string[]) => head.files.has(at);
  const versions = all.filter(([, at = '']) => nameOf(at) === nameOf(path));
  if (versions.length > 0) return !versions.some(has);
  return all.length > 0 && all.filter((one) => !has(one)).length * 10 >= all.length;
}

/** What happens to a file, by its number among all paths of both states. */
const damage = fc.record({
  how: fc.constantFrom('delete', 'truncate', 'swap', 'old', 'old-up-to', 'new-up-to', 'keep') as fc.Arbitrary<
    'delete' | 'truncate' | 'swap' | 'old' | 'old-up-to' | 'new-up-to' | 'keep'
  >,
  at: fc.nat(60),
  other: fc.nat(60),
});
const damages = fc.array(damage, { maxLength: 4 });
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

/** @returns the new state with damage, in which some files are as they were in the old one */
function damaged(old: PlainTree, young: PlainTree, all: readonly Damage[]): PlainTree {
  const tree = new Map(young);
  const paths = [...new Set([...old.keys(), ...young.keys()])].sort();
  const put = (path: string, from: PlainTree) => {
    const content = from.get(path);
    if (content === undefined) tree.delete(path);
    else tree.set(path, content);
  };
  for (const { how, at, other } of all) {
    const path = paths[at % Math.max(1, paths.length)];
    const second = paths[other % Math.max(1, paths.length)];
    if (path === undefined || second === undefined) continue;
    const [one, two] = [tree.get(path), tree.get(second)];
    if (how === 'delete') tree.delete(path);
    else if (how === 'truncate' && Buffer.isBuffer(one) && !isTop(path)) tree.set(path, one.subarray(0, one.length >> 1));
    else if (how === 'swap' && one !== undefined && two !== undefined) tree.set(path, two).set(second, one);
    else if (how === 'old') put(path, old);
    else if (how === 'old-up-to') for (const each of paths.slice(0, paths.indexOf(path))) put(each, old);
    else if (how === 'new-up-to') for (const each of paths.slice(paths.indexOf(path))) put(each, old);
    else if (how === 'keep' && old.has(path) && !tree.has(path)) put(path, old);
  }
  return tree;
}

/** Of these nobody says what they should be; one that is cut off may be a shorter one. */
function isTop(path: string): boolean {
  return /(?:InRelease|repomd\.xml|index\.json|index\.html)$/.test(path);
}

for (const kind of GATE_KINDS) {
  describe(`a mirror of ${kind}`, () => {
    test('that is whole has no contradictions, and each claim was compared', async () => {
      await fc.assert(
        fc.asyncProperty(versions, async (packages) => {
          const { files } = builders[kind](packages, new Map());
          const { count, kinds, read } = await judge(files);
          assert.equal(count, 0);
          if (Object.keys(packages).length > 0) assert.deepEqual(kinds, [kind]);
          assert.ok(read.entries >= Object.keys(packages).length);
        }),
        { numRuns: 20 },
      );
    });

    test('that is damaged has those that a slow look at everything finds, whatever was passed before', async () => {
      await fc.assert(
        fc.asyncProperty(versions, versions, fc.array(damage, { maxLength: 4 }), async (before, after, all) => {
          const known: KnownIndexes = new Map();
          const [old, young] = [builders[kind](before, known).files, builders[kind](after, known).files];
          const files = damaged(old, young, all);
          assert.deepEqual(namesOf(await judge(files)), contradictions({ kind, files }, known, []));
          assert.deepEqual(namesOf(await judge(files, old)), contradictions({ kind, files }, known, [old]));
        }),
        { numRuns: sampled(60, 500) },
      );
    });

    test('has new ones and old ones: the old ones are those that a slow look at the head finds at the same place, with the same bytes', async () => {
      await fc.assert(
        fc.asyncProperty(versions, versions, damages, damages, fc.boolean(), async (before, after, inHead, inTree, isSameVersion) => {
          const known: KnownIndexes = new Map();
          const [old, young] = [builders[kind](before, known).files, builders[kind](after, known).files];
          const head = damaged(young, old, inHead);
          const files = isSameVersion ? damaged(young, head, inTree) : damaged(old, young, [...inHead, ...inTree]);
          const listed = new Set<string>();
          const its: Head = { files: head, contradictions: contradictions({ kind, files: head }, known, 'any', listed), listed };
          for (const passed of [undefined, old]) {
            const all = contradictions({ kind, files }, known, [head, passed ?? head]);
            const expected = newOnes(all, files, its);
            const verdict = await judge(files, passed, head);
            assert.deepEqual(namesOf(verdict), expected);
            if (passed === undefined) assert.equal(verdict.asBefore, all.length - expected.length);
          }
        }),
        { numRuns: sampled(60, 500) },
      );
    });
  });
}
