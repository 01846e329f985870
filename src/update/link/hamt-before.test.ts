import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as dagPb from '@ipld/dag-pb';
import { ShardctlError } from '../../core/errors.ts';
import { DAG_PB } from '../../core/model.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { digestOf } from '../../testing/model-tree.ts';
import { CHANGED, Directory, NEW, SAME } from '../../walk/directory.ts';
import { hamtBefore, mayBeHamt } from './hamt-before.ts';

const PROFILE = profileOf('unixfs-v1-2025');
const ROOT = digestOf('the root before');
const NODE = dagPb.encode({ Links: [], Data: Buffer.of(8, 1) });

interface Shape {
  readonly count: number;
  readonly changed?: number;
  readonly removed?: number;
  readonly nameBytes?: number;
  readonly isNew?: boolean;
  readonly parent?: Directory;
}

/** A directory of which the first entries have changed. */
function directoryOf({ count, changed = 0, removed = 0, nameBytes = 0, isNew = false, parent }: Shape): Directory {
  const names = Array.from({ length: count }, (_, i) => `f${String(i).padStart(6, '0')}${'x'.repeat(nameBytes)}`);
  const directory = new Directory(parent === undefined ? '' : 'd', parent, parent === undefined ? -1 : 0, names);
  directory.states.fill(SAME);
  for (let i = 0; i < changed; i++) directory.states[i] = i % 2 === 0 ? CHANGED : NEW;
  const gone = Array.from({ length: removed }, (_, i) => `gone${i}`);
  if (!isNew) directory.base = { ordinal: 0, indexes: new Int32Array(count), kinds: new Uint8Array(count), removed: gone, count };
  return directory;
}

function source(blocks: Readonly<Record<string, Uint8Array>> = { [ROOT.toString('hex')]: NODE }) {
  const read: string[] = [];
  const readNode = async (digest: Uint8Array) => {
    const hex = Buffer.from(digest).toString('hex');
    read.push(hex);
    const block = blocks[hex];
    if (block === undefined) throw new ShardctlError('TOO_FEW_PEERS', 'away');
    return block;
  };
  return { read, readNode, treeBefore: { codec: DAG_PB, digest: ROOT } as const };
}

test('a directory may be a HAMT when it was there before, has a thousand entries, and more bytes of links than the threshold', () => {
  assert.equal(mayBeHamt(directoryOf({ count: 10_000 }), PROFILE), true);
  assert.equal(mayBeHamt(directoryOf({ count: 10_000, isNew: true }), PROFILE), false);
  assert.equal(mayBeHamt(directoryOf({ count: 999, nameBytes: 1000 }), PROFILE), false);
  assert.equal(mayBeHamt(directoryOf({ count: 1000, nameBytes: 10 }), PROFILE), false);
  assert.equal(mayBeHamt(directoryOf({ count: 1000, nameBytes: 300 }), PROFILE), true);
});

test('the old HAMT comes with the names of all that is new, different or gone', async () => {
  const directory = directoryOf({ count: 1600, changed: 3, removed: 2 });
  const before = await hamtBefore(directory, source());
  assert.deepEqual([...(before?.changed ?? [])].sort(), ['gone0', 'gone1', ...directory.names.slice(0, 3)].sort());
  assert.equal(before?.root.links.length, 0);
});

test('of a directory below the root it is the node that the directory above had before', async () => {
  const above = directoryOf({ count: 1 });
  const directory = directoryOf({ count: 1600, parent: above });
  const unknown = source();
  assert.equal(await hamtBefore(directory, unknown), undefined);
  const own = digestOf('its own root');
  above.setRoot(0, DAG_PB, own, 0, 1);
  const known = source({ [own.toString('hex')]: NODE });
  assert.notEqual(await hamtBefore(directory, known), undefined);
  assert.deepEqual([unknown.read, known.read], [[], [own.toString('hex')]]);
});

test('nothing is fetched where too much has changed, or where there was nothing before', async () => {
  const none = source();
  assert.equal(await hamtBefore(directoryOf({ count: 1600, changed: 100, removed: 1 }), none), undefined);
  assert.equal(await hamtBefore(directoryOf({ count: 1600, isNew: true }), none), undefined);
  assert.equal(await hamtBefore(directoryOf({ count: 1600 }), { ...none, treeBefore: undefined }), undefined);
  assert.deepEqual(none.read, []);
  assert.notEqual(await hamtBefore(directoryOf({ count: 1600, changed: 99, removed: 1 }), none), undefined);
});

test('an old root that no peer gives, or that is damaged, is no error: the directory is encoded anew', async () => {
  const directory = directoryOf({ count: 1600, changed: 1 });
  assert.equal(await hamtBefore(directory, source({})), undefined);
  assert.equal(await hamtBefore(directory, source({ [ROOT.toString('hex')]: Buffer.from('no node') })), undefined);
  await assert.rejects(hamtBefore(directory, { ...source(), readNode: () => Promise.reject(new TypeError('a bug')) }), TypeError);
});
