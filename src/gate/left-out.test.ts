/** What a repository's filters leave out is not missed, and what symlinks lead to is judged once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GATE_KINDS, type GateSetting, type Verdict } from '../core/verdict.ts';
import { sampled } from '../testing/depth.ts';
import { type Content, judgedTree, type PlainTree } from '../testing/judged-tree.ts';
import { builders, contradictions, type KnownIndexes, versions } from '../testing/plain-mirrors.ts';
import { compileFilter } from '../update/scan/filter.ts';
import { packageGate } from './package-gate.ts';

const AUTO: GateSetting = { kinds: 'auto', action: 'hold', keyrings: [] };

async function judge(files: PlainTree, rules: readonly string[] = [], before?: PlainTree): Promise<Verdict> {
  const options = { leafBytes: 1000, leavesOut: compileFilter(rules).leavesOut };
  return await packageGate(AUTO)(judgedTree(files, before, options), new AbortController().signal);
}

const told = ({ contradictions: all }: Verdict) => all.map(({ what, index, path }) => `${what} ${index} ${path}`).sort();

/** As an import by these rules would store it, one path at a time. */
function filtered(files: PlainTree, rules: readonly string[]): Map<string, Content> {
  const { excludes } = compileFilter(rules);
  const isKept = (path: string) => {
    const names = path.split('/');
    return names.every((_, i) => !excludes(names.slice(0, i + 1).join('/'), i + 1 < names.length));
  };
  return new Map([...files].filter(([path]) => isKept(path)));
}

/** Where there is no `Release`, an `InRelease` is as good. */
function isLeftOut(path: string, rules: readonly string[]): boolean {
  const { leavesOut } = compileFilter(rules);
  return leavesOut(path) || leavesOut(path.replace(/\/Release$/, '/InRelease'));
}

const RULES = [
  '- *.deb',
  '- *.rpm',
  '- *.tgz',
  '- *.whl',
  '- a*',
  '- /pool/a',
  '+ *_1.deb',
  '- /r/Packages/',
  '- b-*',
  '- Packages',
  '- InRelease',
];
const rules = fc.array(fc.constantFrom(...RULES), { minLength: 1, maxLength: 3 });

for (const kind of GATE_KINDS) {
  test(`of a mirror of ${kind}, what filters leave out is the same to the gate as if no index named it`, async () => {
    await fc.assert(
      fc.asyncProperty(versions, versions, rules, fc.nat(20), async (before, after, all, lost) => {
        const known: KnownIndexes = new Map();
        const [old, young] = [builders[kind](before, known).files, builders[kind](after, known).files];
        const files = filtered(young, all);
        assert.deepEqual(told(await judge(files, all)), []);
        assert.deepEqual(told(await judge(files, all, filtered(old, all))), []);
        // One file more is lost: it is missed as a model says that knows which paths the rules leave out.
        const path = [...files.keys()].sort()[lost % Math.max(1, files.size)];
        if (path === undefined || /(?:Release|repomd\.xml|index\.\w+|Packages(?:\.gz)?)$/.test(path)) return;
        files.delete(path);
        const missed = contradictions({ kind, files }, known, []).filter((line) => !isLeftOut(line.split(' ')[2] ?? '', all));
        assert.deepEqual(told(await judge(files, all)), missed);
      }),
      { numRuns: sampled(60, 500) },
    );
  });
}

test('what filters leave out is counted, also with a directory above it, and where a symlink leads to it', async () => {
  const { files } = builders.debian({ a: 1, d: 2 }, new Map());
  assert.equal((await judge(filtered(files, ['- /pool/']), ['- /pool/'])).leftOut, 3);
  const moved = new Map<string, Content>([...files].map(([path, bytes]) => [path.replace(/^pool/, 'store'), bytes]));
  moved.set('pool', { to: 'store' });
  const without = filtered(moved, ['- /store/a/*']);
  assert.deepEqual(told(await judge(without, ['- /store/a/*'])), []);
  assert.notDeepEqual(told(await judge(without, ['- /store/b/*'])), []);
});

test('a repository that symlinks lead to is judged once, by the name that it has', async () => {
  for (const kind of GATE_KINDS) {
    const { files } = builders[kind]({ a: 1, d: 1 }, new Map());
    const inside = new Map<string, Content>([...files].map(([path, bytes]) => [`m/${path}`, bytes]));
    const once = await judge(inside);
    const links = new Map<string, Content>([
      ...inside,
      ['again', { to: 'm' }],
      ['m/m', { to: '.' }],
      ['up', { to: '.' }],
      ['z', { to: 'm' }],
    ]);
    const both = await judge(links);
    assert.deepEqual([both.count, both.read], [0, once.read], kind);
    const lost = [...links].filter(([path]) => !/(?:_1\.deb|-1\.rpm|-1\.tgz|\.whl)$/.test(path));
    const missed = told(await judge(new Map(lost)));
    assert.ok(missed.length > 0 && missed.every((line) => line.includes(' m/')), missed.join());
  }
});

test('a suite that `stable` leads to is told of by its own name, and one that lies elsewhere is judged', async () => {
  const { files } = builders.debian({ a: 1 }, new Map());
  const renamed = new Map<string, Content>([...files].map(([path, bytes]) => [path.replace('dists/stable', 'dists/trixie'), bytes]));
  renamed.delete('pool/a/a_1.deb');
  renamed.set('dists/stable', { to: 'trixie' });
  assert.deepEqual(told(await judge(renamed)), ['missing dists/trixie/main/binary-amd64/Packages.gz pool/a/a_1.deb']);
  const elsewhere = new Map<string, Content>([...files].map(([path, bytes]) => [path.replace('dists/stable', 'suites/s'), bytes]));
  elsewhere.delete('pool/a/a_1.deb');
  elsewhere.set('dists/stable', { to: '../suites/s' });
  assert.deepEqual(told(await judge(elsewhere)), ['missing dists/stable/main/binary-amd64/Packages.gz pool/a/a_1.deb']);
});
