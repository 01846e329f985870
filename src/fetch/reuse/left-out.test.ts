import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type BlockId, type ByteString, DIRECTORY, SYMLINK } from '../../core/model.ts';
import { fsPath, joinBytes, toBytes } from '../../core/path-bytes.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { openSource } from '../../source/source.ts';
import { sampled } from '../../testing/depth.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import { type ModelTree, plannedEntries, treeOf } from '../../testing/model-tree.ts';
import { compileFilter } from '../../update/scan/filter.ts';
import { walk } from '../../update/scan/walk.ts';
import { fetchTree } from '../fetch.ts';
import { OutDirectory } from '../out/out-directory.ts';

let dir: string;
let made = 0;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-left-out-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

/** @param has whether it gets an entry, if it has the directory in which that lies */
function write(tree: ModelTree, has: (path: ByteString) => boolean): string {
  const root = join(dir, String(made++));
  mkdirSync(root);
  const written = new Set(['']);
  for (const [path, { kind }] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!written.has(path.slice(0, Math.max(0, path.lastIndexOf('/')))) || !has(path)) continue;
    written.add(path);
    const at = fsPath(joinBytes(toBytes(root), path));
    if (kind === DIRECTORY) mkdirSync(at);
    else if (kind === SYMLINK) symlinkSync('a', at);
    else writeFileSync(at, `what ${path} is`);
  }
  return root;
}

function allIn(root: string, below: ByteString = ''): ByteString[] {
  return readdirSync(fsPath(joinBytes(toBytes(root), below)), { encoding: 'latin1', withFileTypes: true }).flatMap((entry) => {
    const path = joinBytes(below, entry.name);
    if (path === '.shardctl-fetch') return [];
    return entry.isDirectory() ? [path, ...allIn(root, path)] : [path];
  });
}

/** What `add` imports. */
function kept(root: string, rules: readonly ByteString[]): ByteString[] {
  const source = openSource(toBytes(root), undefined);
  const paths: ByteString[] = [];
  const { signal } = new AbortController();
  for (const step of walk(source, { filter: compileFilter(rules), emit: () => {}, signal })) {
    if (step.kind !== 'enter') continue;
    const { directory } = step;
    for (const at of directory.live()) paths.push(joinBytes(directory.path, directory.names[at] as ByteString));
  }
  source.close();
  return paths;
}

async function fetchInto(
  path: string,
  root: BlockId,
  blocks: MemoryBlocks,
  rules: readonly ByteString[],
  isKnown: boolean,
): Promise<string[]> {
  const filter = compileFilter(rules);
  const messages: string[] = [];
  const out = OutDirectory.open(path);
  try {
    await fetchTree({
      ...{ root, path: '', out, blocks, shards: undefined, totals: undefined, maxDelete: undefined },
      ...{ deletes: true, dryRun: false, itemize: false, specialBits: false, isOwn: true },
      // Without it, nothing that is there is found by its hash.
      local: isKnown ? { profile: profileOf('unixfs-v1-2025'), metadata: true } : undefined,
      filters: JSON.stringify(rules),
      excludes: (at, isDirectory) => filter.excludes(at, isDirectory),
      emit: (event) => {
        if (event.type === 'warning') messages.push(event.message);
      },
      signal: new AbortController().signal,
    });
  } finally {
    out.close();
  }
  return messages;
}

const pattern = fc
  .tuple(
    fc.constantFrom('', '', '/', '**/'),
    fc.array(fc.constantFrom('a', 'b', 'ab', 'a*', '*', '**', '?'), { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
    fc.constantFrom('', '', '/', '/***', '/**'),
  )
  .map((parts) => parts.join(''));
const rule = fc.tuple(fc.constantFrom('+ ', '+ ', '- '), pattern).map((parts) => parts.join(''));
/** As people write them: a directory with all that is in it, those above it, all directories; and all else is excluded. */
const part = fc.tuple(fc.nat(), fc.constantFrom('/***', '/', '/**', ''), fc.boolean());
const ruleSets = fc.tuple(
  fc.array(rule, { maxLength: 3 }),
  fc.array(part, { maxLength: 2 }),
  fc.constantFrom<string[]>(['- *'], ['+ */', '- *'], ['- /*'], []),
);

function rulesOf([others, parts, last]: typeof ruleSets extends fc.Arbitrary<infer T> ? T : never, tree: ModelTree): string[] {
  const paths = [...tree.keys()];
  const named = parts.flatMap(([at, end, withAbove]) => {
    const ways = upTo(paths[at % Math.max(1, paths.length)] ?? 'a');
    const above = withAbove ? ways.slice(0, -1).map((way) => `+ /${way}/`) : [];
    return [...above, `+ /${ways.at(-1)}${end}`];
  });
  return [...named, ...others, ...last];
}

test('what is fetched is what add would import by the same rules, and --delete leaves alone what they leave out', async () => {
  const has = fc.nat(3).map((left) => (path: ByteString) => [...path].reduce((sum, byte) => sum + byte.charCodeAt(0), left) % 4 > 0);
  await fc.assert(
    fc.asyncProperty(plannedEntries, has, has, ruleSets, fc.boolean(), async (planned, inTree, inOut, drawn, isKnown) => {
      const tree = treeOf(planned);
      const rules = rulesOf(drawn, tree);
      const [source, out] = [write(tree, inTree), write(tree, inOut)];
      const blocks = new MemoryBlocks();
      const root = await blocks.importTree(source);
      const wanted = new Set(kept(source, rules));
      const doomed = new Set(kept(out, rules));
      for (const path of allIn(out)) if (!doomed.has(path)) for (const at of upTo(path)) wanted.add(at);
      // The second run knows what the first one has left.
      for (const _ of [1, 2]) {
        await fetchInto(out, root, blocks, rules, isKnown);
        assert.deepEqual(allIn(out).sort(), [...wanted].sort(), rules.join('; '));
      }
    }),
    { numRuns: sampled(20, 300), seed: 1 },
  );
});

function upTo(path: ByteString): ByteString[] {
  return path.split('/').map((_, at, names) => names.slice(0, at + 1).join('/'));
}

test('rules that leave nothing of a tree are told of, and those that leave something are not', async () => {
  const source = join(dir, 'source');
  mkdirSync(join(source, 'dists/bookworm'), { recursive: true });
  writeFileSync(join(source, 'dists/bookworm/Release'), '');
  const blocks = new MemoryBlocks();
  const root = await blocks.importTree(source);
  const none = await fetchInto(join(dir, 'none'), root, blocks, ['+ /dists/bookworm/***', '- *'], true);
  assert.equal(none.length, 1);
  assert.match(none[0] ?? '', /leave nothing of the tree/);
  assert.deepEqual(await fetchInto(join(dir, 'some'), root, blocks, ['+ /dists/', '+ /dists/bookworm/***', '- *'], true), []);
  assert.deepEqual(allIn(join(dir, 'some')), ['dists', 'dists/bookworm', 'dists/bookworm/Release']);
});
