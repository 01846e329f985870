import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { parseCid } from '../../dag/cid.ts';
import { homePaths } from '../../home/home.ts';
import { Index } from '../../index/index.ts';
import { LocalPeer } from '../../peer/local/local.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { Program } from '../../testing/program.ts';
import { writeTree } from '../../testing/tree.ts';
import { ServedHome, type ServedHomeOptions } from './served-home.ts';

const program = new Program();
const paths = homePaths(program.home);
const source = program.path('mirror');
const options: ServedHomeOptions = {
  openIndex: async () => {
    opened++;
    return await Index.open(paths.index, { readOnly: true });
  },
  openPeers: async () => ({ peers: new Map(), close: async () => {} }),
  home: paths,
  names: [],
  cache: paths.cache,
  onTrouble: () => {},
};
let mirror: ServedHome;
let opened = 0;

before(async () => {
  writeTree(source, { file: 'before' });
  program.succeeds('add', 'mirror', '-q');
  mirror = await ServedHome.open(options);
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
  assert.equal(mirror.catchUp(), undefined, 'requests of one turn were sent before the first of them was looked at');
  await turn();
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

test('a view that fails to close keeps no peers open', async () => {
  const closed: string[] = [];
  const troubles: string[] = [];
  let openings = 0;
  const served = await ServedHome.open({
    ...options,
    openIndex: async () => {
      const index = await Index.open(paths.index, { readOnly: true });
      const close = index.close.bind(index);
      index.close = () => close().then(() => Promise.reject(new Error('no space')));
      return index;
    },
    openPeers: async () => {
      const name = `peers ${++openings}`;
      return { peers: new Map(), close: async () => void closed.push(name) };
    },
    onTrouble: (message) => troubles.push(message),
  });
  await served.renew();
  while (troubles.length === 0) await turn();
  assert.deepEqual([closed, troubles], [['peers 1'], ['cannot close a view of the home: no space']]);
  await served.close();
});

/** Files of peers that this process has open and that are no more. */
function removedButOpen(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(paths.peers) && path.endsWith(' (deleted)') ? [path] : [];
    } catch {
      return [];
    }
  });
}

test('the space of shards that a run has removed is free when the home is opened again', {
  skip: process.platform !== 'linux',
  timeout: 60_000,
}, async ({ mock }) => {
  // Files that nobody has used for a minute are closed, too.
  mock.timers.enable({ apis: ['setInterval'] });
  const path = join(program.home, 'peers/local');
  const peers = new Map([['local', new LocalPeer({ owner: TEST_OWNER, name: 'local', path, layout: 'car' })]]);
  const served = await ServedHome.open({ ...options, openPeers: async () => ({ peers, close: async () => {} }) });
  const view = served.acquire();
  await view.blocks.read(parseCid(view.repositories.get('mirror')?.head.tree ?? '').digest);
  served.release(view);
  writeFileSync(`${source}/file`, Buffer.alloc(50_000, 'x'));
  program.succeeds('update', 'mirror', '-q');
  program.succeeds('forget', 'mirror', '--keep-last', '1', '-q');
  program.succeeds('prune', '--max-unused', '0', '-q');
  assert.notDeepEqual(removedButOpen(), []);
  await served.renew(false);
  while (removedButOpen().length > 0) await turn();
  await served.close();
});

test('a home that cannot be opened is tried again by one timer, however many have asked', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let tries = 0;
  let isAway = false;
  const served = await ServedHome.open({
    ...options,
    openIndex: async () => {
      tries++;
      if (isAway) throw new Error('away');
      return await Index.open(paths.index, { readOnly: true });
    },
  });
  // What the watch has seen at its start is news at its first look.
  mock.timers.tick(500);
  while (tries < 2) await turn();
  isAway = true;
  const asked = 20;
  for (let request = 0; request < asked; request++) await served.renew(false);
  const before = tries;
  mock.timers.tick(250 * asked - 1);
  await turn();
  assert.equal(tries, before);
  mock.timers.tick(1);
  await turn();
  assert.equal(tries, before + 1);
  isAway = false;
  await served.renew(false);
  assert.equal(tries, before + 2);
  await served.close();
});
