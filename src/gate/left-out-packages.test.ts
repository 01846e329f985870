/** A mirror that leaves out packages on purpose goes on; one whose sync was torn off is held back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GATE_KINDS, type GateKind, type GateSetting, type Verdict } from '../core/verdict.ts';
import { sampled } from '../testing/depth.ts';
import { judgedTree, MemoryTree, type PlainTree } from '../testing/judged-tree.ts';
import { builders } from '../testing/plain-mirrors.ts';
import { LeftOutPackages } from './left-out-packages.ts';
import { packageGate } from './package-gate.ts';

const AUTO: GateSetting = { kinds: 'auto', action: 'hold', keyrings: [] };

async function judge(files: PlainTree, head: PlainTree, setting = AUTO): Promise<Verdict> {
  return await packageGate(setting)(judgedTree(files, undefined, undefined, head), new AbortController().signal);
}

const without = (files: PlainTree, pattern: RegExp): PlainTree => new Map([...files].filter(([path]) => !pattern.test(path)));
const mirror = (kind: GateKind, versions: Readonly<Record<string, number>>) => builders[kind](versions, new Map()).files;

/** Of each kind, files of the package `a`. */
const A = {
  debian: /^pool\/a\//,
  rpm: /Packages\/a-/,
  npm: /@s\/a\/-\//,
  pypi: /\/a-/,
} as const;

for (const kind of GATE_KINDS) {
  test(`${kind}: the next version of a package that the head leaves out is left out, too; of one that it has, it is missed`, async () => {
    const [old, young] = [mirror(kind, { a: 1, d: 1 }), mirror(kind, { a: 2, d: 2 })];
    const partial = await judge(without(young, A[kind]), without(old, A[kind]));
    assert.deepEqual(partial.contradictions, []);
    assert.ok(partial.asBefore > 0);
    assert.notEqual((await judge(without(young, A[kind]), old)).count, 0);
    // The partial mirror, torn: what is missing now was not left out before.
    const torn = await judge(without(without(young, A[kind]), /\/d[-_]2/), without(old, A[kind]));
    assert.ok(torn.contradictions.length > 0 && torn.contradictions.every(({ path }) => /d[-_]2/.test(path)), JSON.stringify(torn));
    // Who has named the kind has asked for all of it.
    assert.notEqual((await judge(without(young, A[kind]), without(old, A[kind]), { ...AUTO, kinds: [kind] })).count, 0);
  });
}

test('a new package is left out where the head lacks a tenth of what its index names, and missed where it lacks less', async () => {
  const claims = Array.from({ length: 20 }, (_, i) => `pool/${i}/p${i}_1.deb`);
  for (const lacking of [0, 1, 2, 10]) {
    const head = new MemoryTree(new Map(claims.slice(lacking).map((path) => [path, Buffer.from(path)])));
    const fresh = { kind: 'debian', what: 'missing', index: 'Packages', path: 'pool/new/new_1.deb', detail: '' } as const;
    const packages = new LeftOutPackages(head, [fresh], (_, index) => index);
    for (const path of claims) await packages.note('debian', 'Packages', { path, named: path, size: 1, digest: undefined });
    assert.equal(await packages.has(fresh), lacking >= 2, `${lacking} of 20`);
    assert.equal(await packages.has({ ...fresh, what: 'hash' }), false);
    assert.equal(await packages.has({ ...fresh, index: 'other' }), false);
  }
});

test('versions of one package are one, and other packages and architectures are others', async () => {
  const same: readonly [GateKind, string, string][] = [
    ['debian', 'pool/b/bash/bash_5.1-2_amd64.deb', 'pool/b/bash/bash_5.2-1+b1_amd64.deb'],
    ['debian', 'pool/b/bash/bash_5.1.orig.tar.xz', 'pool/b/bash/bash_5.2-1.dsc'],
    ['rpm', 'r/Packages/g/glibc-2.1-3.fc39.x86_64.rpm', 'r/Packages/g/glibc-2.2-1.fc40.x86_64.rpm'],
    ['npm', 'ms/-/ms-1.0.0.tgz', 'ms/-/ms-2.0.0-rc.1.tgz'],
    ['pypi', 'packages/aa/numpy-1.0-cp311-cp311-win_amd64.whl', 'packages/bb/numpy-1.1-cp311-cp311-win_amd64.whl'],
    ['pypi', 'packages/aa/ms-1.0.tar.gz', 'packages/bb/ms-2.10.1.tar.gz'],
  ];
  const others: readonly [GateKind, string, string][] = [
    ['debian', 'pool/b/bash/bash_5.1-2_amd64.deb', 'pool/b/bash/bash_5.1-2_arm64.deb'],
    ['debian', 'pool/b/bash/bash_5.1-2_amd64.deb', 'pool/b/bash/bash-doc_5.1-2_all.deb'],
    ['rpm', 'r/Packages/g/glibc-2.1-3.fc39.x86_64.rpm', 'r/Packages/g/glibc-devel-2.1-3.fc39.x86_64.rpm'],
    ['rpm', 'r/Packages/g/glibc-2.1-3.fc39.x86_64.rpm', 'r/Packages/g/glibc-2.1-3.fc39.i686.rpm'],
    ['pypi', 'packages/aa/numpy-1.0-cp311-cp311-win_amd64.whl', 'packages/aa/numpy-1.0-cp311-cp311-linux.whl'],
  ];
  const isLeftOut = async (kind: GateKind, before: string, path: string) => {
    const one = { kind, what: 'missing', index: 'i', path, detail: '' } as const;
    const packages = new LeftOutPackages(new MemoryTree(new Map()), [one], (_, index) => index);
    await packages.note(kind, 'i', { path: before, named: before, size: undefined, digest: undefined });
    const others = Array.from({ length: 20 }, (_, i) => `there/${i}`);
    const head = new MemoryTree(new Map(others.map((each) => [each, Buffer.from(each)])));
    const small = new LeftOutPackages(head, [one], (_, index) => index);
    for (const each of [before, ...others]) await small.note(kind, 'i', { path: each, named: each, size: undefined, digest: undefined });
    return await small.has(one);
  };
  for (const [kind, before, path] of same) assert.equal(await isLeftOut(kind, before, path), true, path);
  for (const [kind, before, path] of others) assert.equal(await isLeftOut(kind, before, path), false, path);
});

const packages = fc.constantFrom('a', 'b', 'c', 'd');
const file = fc
  .record({ name: packages, version: fc.integer({ min: 1, max: 3 }) })
  .map(({ name, version }) => `pool/${name}_${version}_all.deb`);
const fileSet = fc.uniqueArray(file, { maxLength: 12 });

test('whatever the head names and has, what is left out is what a slow look at all of it says', async () => {
  await fc.assert(
    fc.asyncProperty(fileSet, fileSet, fileSet, async (named, has, missing) => {
      const head = new MemoryTree(new Map(has.map((path) => [path, Buffer.from(path)])));
      const all = missing.map((path) => ({ kind: 'debian', what: 'missing', index: 'i', path, detail: '' }) as const);
      const found = new LeftOutPackages(head, all, (_, index) => index);
      for (const path of named) await found.note('debian', 'i', { path, named: path, size: undefined, digest: undefined });
      for (const one of all) {
        const versions = named.filter((path) => path[5] === one.path[5]);
        const lacking = named.filter((path) => !has.includes(path));
        const isNew = versions.length === 0;
        const expected = isNew ? named.length > 0 && lacking.length * 10 >= named.length : versions.every((path) => !has.includes(path));
        assert.equal(await found.has(one), expected && !has.includes(one.path));
      }
    }),
    { numRuns: sampled(200, 2000) },
  );
});
