import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { homePaths } from '../../home/home.ts';
import { Index } from '../../index/index.ts';
import { Program } from '../../testing/program.ts';
import { writeTree } from '../../testing/tree.ts';
import { ServedHome } from './served-home.ts';

const program = new Program();
const paths = homePaths(program.home);
const source = program.path('mirror');
let mirror: ServedHome;
let opened = 0;

before(async () => {
  writeTree(source, { file: 'before' });
  program.succeeds('add', 'mirror', '-q');
  mirror = await ServedHome.open({
    openIndex: async () => {
      opened++;
      return await Index.open(paths.index, { readOnly: true });
    },
    openPeers: async () => ({ peers: new Map(), close: async () => {} }),
    home: paths,
    names: [],
    cache: paths.cache,
    onTrouble: () => {},
  });
});
after(async () => {
  await mirror.close();
  program.dispose();
});

function headNumber(): number | undefined {
  const view = mirror.acquire();
  mirror.release(view);
  return view.repositories.get('mirror')?.head.number;
}

test('whoever asks after a commit gets the new head, however late the watch of the home sees it', async () => {
  assert.equal(mirror.catchUp(), undefined);
  writeFileSync(`${source}/more`, 'more');
  // All of it in one turn: the watch does not get one.
  program.succeeds('update', 'mirror', '-q');
  assert.equal(headNumber(), 1);
  const caughtUp = mirror.catchUp();
  assert.ok(caughtUp !== undefined);
  await caughtUp;
  assert.equal(headNumber(), 2);
  assert.equal(mirror.catchUp(), undefined);
});

test('many who want the home opened again share one opening', async () => {
  const before = opened;
  await Promise.all(Array.from({ length: 100 }, () => mirror.renew(false)));
  assert.equal(opened, before + 1);
});

test('a home that cannot be opened is tried again by one timer, however many have asked', async () => {
  renameSync(paths.index, `${paths.index}.away`);
  for (let request = 0; request < 20; request++) await mirror.renew(false);
  const before = opened;
  await sleep(2_000);
  assert.ok(opened - before <= 4, `tried ${opened - before} times`);
  renameSync(`${paths.index}.away`, paths.index);
  await mirror.renew(false);
  assert.equal(headNumber(), 2);
});
