import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { profileOf } from '../../dag/cid-profile.ts';
import { sampled } from '../../testing/depth.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import type { MaxDelete } from '../../update/deletion-guard.ts';
import { fetchTree } from '../fetch.ts';
import { OutDirectory } from '../out/out-directory.ts';

let dir: string;
let made = 0;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-names-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

/** @param paths of files; one that another one is above of is left out */
function write(paths: readonly string[]): string {
  const root = join(dir, String(made++));
  mkdirSync(root);
  for (const path of paths) {
    try {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), path);
    } catch {}
  }
  return root;
}

async function fetchInto(path: string, source: string, maxDelete: MaxDelete | undefined): Promise<{ deleted: number; read: number }> {
  const memory = new MemoryBlocks();
  const root = await memory.importTree(source);
  let read = 0;
  const blocks = {
    read: async (digest: Uint8Array) => {
      read++;
      return await memory.read(digest);
    },
  };
  const out = OutDirectory.open(path);
  try {
    const {
      summary: { deleted },
    } = await fetchTree({
      ...{ root, path: '', out, blocks, shards: undefined, totals: undefined, maxDelete, excludes: undefined, filters: '[]' },
      ...{ deletes: true, dryRun: false, itemize: false, specialBits: false, isOwn: true, emit: () => {} },
      local: { profile: profileOf('unixfs-v1-2025'), metadata: true },
      signal: new AbortController().signal,
    });
    return { deleted, read };
  } finally {
    out.close();
  }
}

test('too many deletions are refused before a file is read', async () => {
  const out = write(['a/1', 'a/2', 'a/3', 'b']);
  await assert.rejects(fetchInto(out, write(['a/4', 'c']), { percent: 50 }), { code: 'MAX_DELETE' });
  assert.ok(!existsSync(join(out, '.shardctl-fetch/new')));
  assert.deepEqual(readdirSync(join(out, 'a')), ['1', '2', '3']);
});

test('as many deletions are counted ahead as there are in the end', async () => {
  const paths = fc.array(
    fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(paths, paths, paths, async (first, second, third) => {
      const [out, free] = [write(first), write(first)];
      // The second run knows what the first one has left.
      for (const paths of [second, third]) {
        const source = write(paths);
        const { deleted } = await fetchInto(free, source, undefined);
        if (deleted > 0) await assert.rejects(fetchInto(out, source, { entries: deleted - 1 }), { code: 'MAX_DELETE' });
        assert.ok(!existsSync(join(out, '.shardctl-fetch/new')));
        assert.equal((await fetchInto(out, source, { entries: deleted })).deleted, deleted);
      }
    }),
    { numRuns: sampled(15, 150), seed: 1 },
  );
});
