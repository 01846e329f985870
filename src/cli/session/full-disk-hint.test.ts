import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ioError } from '../../core/errors.ts';
import { DEFAULT_CONFIG } from '../../home/config.ts';
import { saveConfig } from '../../home/config-file.ts';
import { homePaths } from '../../home/home.ts';
import { withItsDisk } from './full-disk-hint.ts';

const SHM = '/dev/shm';
const dir = mkdtempSync(join(tmpdir(), 'shardctl-full-home-'));
after(() => rmSync(dir, { recursive: true }));

function homeWith(name: string, path: string) {
  const home = homePaths(join(dir, name));
  mkdirSync(home.dir, { recursive: true });
  saveConfig(home, { ...DEFAULT_CONFIG, peers: [{ kind: 'local', name: 'disk1', path, layout: 'car', tags: {} }] });
  return home;
}

const fullAt = (path: string) => ioError(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }), 'writing', path);

test('where a peer lies on the full disk of the home, prune is named, and the peer', async () => {
  const home = homeWith('together', 'peers/disk1');
  mkdirSync(join(home.dir, 'peers/disk1'), { recursive: true });
  const { code, message, hint = '' } = await withItsDisk(fullAt(home.index), home, '1');
  assert.equal(code, 'NO_SPACE');
  assert.match(message, /the disk of the home is full/);
  assert.match(hint, /`shardctl prune` .*peer disk1 lies on the same one/);
});

test('where no peer lies on it, it is said that prune does not help', (t) => {
  if (statSync(SHM, { throwIfNoEntry: false })?.dev === statSync(dir).dev) return t.skip('there is one disk alone');
  const other = mkdtempSync(join(SHM, 'shardctl-peer-'));
  t.after(() => rmSync(other, { recursive: true }));
  const home = homeWith('apart', other);
  return withItsDisk(fullAt(home.index), home, '1').then(({ hint = '' }) => {
    assert.match(hint, new RegExp(`disk of ${home.dir}, on which no peer lies`));
    assert.doesNotMatch(hint, /or let/);
  });
});

test('a full peer is told as a full peer, also one inside of the home', async () => {
  const home = homeWith('inside', 'peers/disk1');
  const error = fullAt(join(home.dir, 'peers/disk1/shards/x.car'));
  assert.equal(await withItsDisk(error, home, '1'), error);
});
