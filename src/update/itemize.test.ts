import assert from 'node:assert/strict';
import { chmodSync, lutimesSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

test('changes are told in the code of `rsync -ai --delete`, from the root down', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-itemize-'));
  const home = await TestHome.create();
  const told = async (): Promise<string[]> => {
    const { events } = await home.add(dir, { itemize: true });
    return events.flatMap((event) => (event.type === 'change' ? [`${event.itemize} ${event.kind} ${event.path}`] : []));
  };
  const old = (...names: string[]) => {
    for (const name of names) utimesSync(join(dir, name), 1000, 1000);
  };
  try {
    const sub = { deep: { gone: '' } };
    writeTree(dir, {
      grown: '1',
      touched: '1',
      private: '1',
      both: '1',
      unseen: '1',
      swapped: '1',
      hidden: '1',
      dir: {},
      sub,
      link: { link: 'a' },
      late: { link: 'a' },
    });
    lutimesSync(join(dir, 'link'), 1000, 1000);
    lutimesSync(join(dir, 'late'), 1000, 1000);
    const files = ['grown', 'touched', 'private', 'both', 'unseen', 'swapped', 'hidden'];
    old(...files, 'dir', 'sub', 'sub/deep', '.');
    assert.deepEqual(await told(), [
      'cd+++++++++ directory .',
      '>f+++++++++ file both',
      'cd+++++++++ directory dir',
      '>f+++++++++ file grown',
      '>f+++++++++ file hidden',
      'cL+++++++++ symlink late',
      'cL+++++++++ symlink link',
      '>f+++++++++ file private',
      'cd+++++++++ directory sub',
      '>f+++++++++ file swapped',
      '>f+++++++++ file touched',
      '>f+++++++++ file unseen',
      'cd+++++++++ directory sub/deep',
      '>f+++++++++ file sub/deep/gone',
    ]);
    writeFileSync(join(dir, 'grown'), '12');
    writeFileSync(join(dir, 'both'), '12');
    writeFileSync(join(dir, 'unseen'), '2');
    old('grown', 'unseen');
    utimesSync(join(dir, 'both'), 2000, 2000);
    utimesSync(join(dir, 'touched'), 2000, 2000);
    for (const name of ['swapped', 'hidden']) writeFileSync(join(dir, name), '2');
    utimesSync(join(dir, 'swapped'), 2000, 2000);
    old('hidden');
    for (const name of ['private', 'both', 'hidden']) chmodSync(join(dir, name), 0o600);
    chmodSync(join(dir, 'dir'), 0o700);
    rmSync(join(dir, 'sub'), { recursive: true });
    writeTree(dir, { sub: 'a file now' });
    rmSync(join(dir, 'link'));
    symlinkSync('other', join(dir, 'link'));
    lutimesSync(join(dir, 'link'), 1000, 1000);
    lutimesSync(join(dir, 'late'), 2000, 2000);
    utimesSync(dir, 3000, 3000);
    const changes = await told();
    assert.deepEqual(
      changes.sort(),
      [
        '*deleting directory sub/deep',
        '*deleting file sub/deep/gone',
        '.d...p..... directory dir',
        '.d..t...... directory .',
        '.f...p..... file private',
        '>f+++++++++ file sub',
        '>f.s....... file grown',
        '>f.stp..... file both',
        '>f..t...... file swapped',
        '>fc..p..... file hidden',
        '.f..t...... file touched',
        '>fc........ file unseen',
        'cL..t...... symlink late',
        'cLc........ symlink link',
      ].sort(),
    );
    assert.deepEqual(await told(), []);
  } finally {
    home.remove();
    rmSync(dir, { recursive: true, force: true });
  }
});
