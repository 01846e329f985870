/** A dry run, the run after it, and `diff` between the two snapshots tell the same story: that of the edits. */
import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { displayPath } from '../core/display.ts';
import type { Change, Event } from '../core/events.ts';
import { toBytes } from '../core/path-bytes.ts';
import { parseCid } from '../dag/cid.ts';
import { placedBlocks } from '../read/blocks/placed-blocks.ts';
import { readEntry } from '../read/tree/tree.ts';
import { sampled } from '../testing/depth.ts';
import { TestHome } from '../testing/run.ts';
import { applyEdit, edit } from '../testing/tree.ts';
import { diff } from './diff.ts';

/** Everything that a tree keeps of its entries, by escaped path. */
function listing(root: string): Map<string, { readonly kind: string; readonly state: string }> {
  const found = new Map<string, { kind: string; state: string }>();
  const visit = (path: string) => {
    const stat = lstatSync(join(root, path), { bigint: true });
    const shown = path === '' ? '.' : displayPath(toBytes(path));
    const [kind, content] = stat.isDirectory()
      ? ['directory', '']
      : stat.isSymbolicLink()
        ? ['symlink', readlinkSync(join(root, path))]
        : ['file', readFileSync(join(root, path), 'hex')];
    found.set(shown, { kind, state: `${stat.mtimeNs} ${kind === 'symlink' ? '' : stat.mode} ${content}` });
    if (kind === 'directory') for (const name of readdirSync(join(root, path))) visit(join(path, name));
  };
  visit('');
  return found;
}

/** What happened to each path between two listings: `+`, `-` or `~`. */
function edits(before: ReturnType<typeof listing>, after: ReturnType<typeof listing>): string[] {
  const all = [...new Set([...before.keys(), ...after.keys()])];
  return all
    .flatMap((path) => {
      const [a, b] = [before.get(path), after.get(path)];
      if (b === undefined) return [`- ${path}`];
      if (a === undefined || a.kind !== b.kind) return [`+ ${path}`];
      return a.state === b.state ? [] : [`~ ${path}`];
    })
    .sort();
}

const told = (changes: readonly Change[]) =>
  changes.map(({ itemize, path }) => `${itemize === '*deleting' ? '-' : itemize.endsWith('+++++') ? '+' : '~'} ${path}`).sort();

const changesIn = (events: readonly Event[]) => events.filter((event) => event.type === 'change');

/** Every file of the home but LMDB's table of readers, which even a look writes to. */
function bytesOf(home: TestHome): Map<string, string> {
  const files = readdirSync(home.dir, { recursive: true, withFileTypes: true }).filter((it) => it.isFile() && it.name !== 'lock.mdb');
  return new Map(files.map((it) => [join(it.parentPath, it.name), readFileSync(join(it.parentPath, it.name), 'hex')]));
}

async function plan(home: TestHome, source: string): Promise<Event[]> {
  const events: Event[] = [];
  await home.plan(source, { shardBytes: 1024 * 1024 }, (event) => events.push(event));
  return events;
}

async function diffOf(home: TestHome, before: string, after: string): Promise<Change[]> {
  const index = await home.index();
  const blocks = placedBlocks(index, home.peers);
  const changes: Change[] = [];
  try {
    const [a, b] = [await readEntry(parseCid(before), blocks), await readEntry(parseCid(after), blocks)];
    for await (const change of diff(a, b, { blocks, signal: new AbortController().signal })) changes.push(change);
  } finally {
    await blocks.close();
    await index.close();
  }
  return changes;
}

test('after any edits, a dry run, the run and diff name exactly the edits; the dry run changes nothing', async () => {
  const rounds = fc.array(fc.array(edit, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(rounds, async (script) => {
      const source = mkdtempSync(join(tmpdir(), 'shardctl-law-'));
      const home = await TestHome.create();
      try {
        let parent = (await home.add(source)).summary;
        for (const round of script) {
          const before = listing(source);
          for (const it of round) applyEdit(source, it);
          const expected = edits(before, listing(source));

          const untouched = bytesOf(home);
          const planned = await plan(home, source);
          assert.deepEqual(bytesOf(home), untouched);
          const { summary, events } = await home.add(source, { itemize: true });

          assert.deepEqual(told(changesIn(events)), expected, 'the run');
          assert.deepEqual(told(await diffOf(home, parent.tree, summary.tree)), expected, 'diff');
          const [unsure, sure] = [true, false].map((wanted) =>
            changesIn(planned).filter(({ itemize }) => itemize.includes('?') === wanted),
          );
          const found = changesIn(events).filter(({ itemize }) => /^.[fL]c\.{8}$/.test(itemize));
          assert.deepEqual(told([...(sure as Change[]), ...found]), expected, 'the dry run');
          for (const { path } of found)
            assert.ok(
              unsure?.some((it) => it.path === path),
              path,
            );
          parent = summary;
        }
      } finally {
        home.remove();
        rmSync(source, { recursive: true, force: true });
      }
    }),
    { numRuns: sampled(2, 10) },
  );
});

test('equal trees have no difference, and nothing of them is read', async () => {
  const source = mkdtempSync(join(tmpdir(), 'shardctl-same-'));
  const home = await TestHome.create();
  try {
    const { tree } = (await home.add(source)).summary;
    const entry = {
      ...parseCid(tree),
      kind: 2,
      size: 0,
      mode: 0,
      mtimeNs: 0n,
      target: undefined,
      content: { data: Buffer.alloc(0) },
    } as const;
    const blocks = { read: () => Promise.reject(new Error('was read')) };
    for await (const change of diff(entry, entry, { blocks, signal: new AbortController().signal })) assert.fail(change.path);
  } finally {
    home.remove();
    rmSync(source, { recursive: true, force: true });
  }
});
