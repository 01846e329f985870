import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { fsPath } from '../core/path-bytes.ts';
import { sampled } from '../testing/depth.ts';
import { edit, edits } from '../testing/edited-tree.ts';
import { runInProcess } from '../testing/in-process.ts';
import { Watched, withoutInotify } from '../testing/watched.ts';
import { Changes } from './changes.ts';

const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'shardctl-watched-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** The root of the tree that a command has made. */
async function rootAfter(home: string, ...argv: string[]): Promise<string> {
  const { code, stdout } = await runInProcess(home, argv);
  assert.equal(code, 0, stdout);
  const line = stdout.split('\n').find((it) => it.includes('"type":"summary"')) ?? '{}';
  return (JSON.parse(line) as { tree: string }).tree;
}

test('updates that are told what a watch has heard make the tree that a look at everything makes', { skip: withoutInotify }, async () => {
  let round = 0;
  const step = fc.oneof(
    { weight: 8, arbitrary: edits },
    { weight: 1, arbitrary: fc.tuple(fc.constant('update'), fc.record({ of: fc.nat(3), to: fc.nat(), name: fc.constant('') })) },
  );
  const law = fc.asyncProperty(fc.array(edits, { maxLength: 15 }), fc.array(step, { minLength: 1, maxLength: 40 }), async (first, then) => {
    const [root, outside, home] = ['m', 'outside', 'home'].map((name) => join(dir, `${round}`, name)) as [string, string, string];
    for (const it of [root, outside]) mkdirSync(it, { recursive: true });
    writeFileSync(join(root, 'stays'), 'x');
    for (const it of first) edit(root, outside, it);
    const watched = new Watched(root);
    try {
      watched.settle();
      await rootAfter(home, 'add', root, '--name', 'm');
      // What has happened until the directories were watched, the first look at everything has seen.
      const update = async (whileItRuns: () => void) => {
        watched.settle();
        const list = join(dir, `${round}`, 'list');
        writeFileSync(list, watched.changes.list());
        watched.changes = new Changes();
        whileItRuns();
        return await rootAfter(home, 'update', 'm', '--files-from', list, '--max-delete', 'none');
      };
      for (const [at, it] of then.entries()) {
        if (it[0] !== 'update') edit(root, outside, it);
        // What happens after the list was taken is told by the next one.
        else await update(() => then.slice(at + 1, at + 1 + it[1].of).forEach((more) => void edit(root, outside, more)));
      }
      const told = await update(() => {});
      const other = join(dir, `${round}`, 'other');
      assert.equal(told, await rootAfter(other, 'add', root, '--name', 'm'));
      assert.equal(watched.tree.doubt, undefined);
    } finally {
      watched.close();
      rmSync(join(dir, `${round++}`), { recursive: true });
    }
  });
  await fc.assert(law, { numRuns: sampled(6, 60), endOnFailure: true });
});

test('the mode of the root alone, names of any bytes, symlinks and what replaces them are told', { skip: withoutInotify }, async () => {
  const [root, home] = [join(dir, 'm'), join(dir, 'home')];
  mkdirSync(join(root, 'a/b'), { recursive: true });
  writeFileSync(fsPath(`${root}/a/b/caf\xe9`), 'x');
  symlinkSync('a', join(root, 'link'));
  const watched = new Watched(root);
  watched.settle();
  await rootAfter(home, 'add', root, '--name', 'm');
  const changes = [
    () => renameSync(fsPath(`${root}/a/b/caf\xe9`), fsPath(`${root}/a/b/\xff\n`)),
    () => rmSync(join(root, 'link')),
    () => mkdirSync(join(root, 'link/in'), { recursive: true }),
    () => renameSync(join(root, 'a/b'), join(root, 'link/in/b')),
    () => chmodSync(root, 0o711),
  ];
  for (const change of changes) {
    watched.changes = new Changes();
    change();
    watched.settle();
    const list = join(dir, 'list');
    writeFileSync(list, watched.changes.list());
    const told = await rootAfter(home, 'update', 'm', '--files-from', list, '--max-delete', 'none');
    rmSync(join(dir, 'other'), { recursive: true, force: true });
    assert.equal(told, await rootAfter(join(dir, 'other'), 'add', root, '--name', 'm'), String(change));
  }
  watched.close();
});
