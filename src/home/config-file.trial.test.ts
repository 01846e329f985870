import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ShardctlError } from '../core/errors.ts';
import { sampled } from '../testing/depth.ts';
import { type Config, DEFAULT_CONFIG } from './config.ts';
import { loadConfig, restoreConfig, saveConfig } from './config-file.ts';
import { type HomePaths, homePaths } from './home.ts';

let home: HomePaths;
beforeEach(() => {
  home = homePaths(mkdtempSync(join(tmpdir(), 'shardctl-config-')));
});
afterEach(() => rmSync(home.dir, { recursive: true }));

const disk = { kind: 'local', name: 'disk1', path: '/mnt/disk1', layout: 'car', tags: { zone: 'a' } } as const;
const kubo = { kind: 'kubo', name: 'attic', url: 'http://attic:5001', id: '12D3KooW', owner: '5f', tags: {} } as const;

async function load(value: unknown): Promise<Config | undefined> {
  writeFileSync(home.config, typeof value === 'string' ? value : JSON.stringify(value));
  return await loadConfig(home, '1.0.0');
}

test('settings come back as they were saved', async () => {
  const config: Config = { ...DEFAULT_CONFIG, peers: [{ ...disk, capacity: 5e11 }], replication: { min: 2, max: -1 } };
  saveConfig(home, config);
  assert.deepEqual(await loadConfig(home, '1.0.0'), config);
  assert.deepEqual(await loadConfig(home, '1.0.0'), config, 'and again from the cache');
});

test('a home without settings has none', async () => {
  assert.equal(await loadConfig(home, '1.0.0'), undefined);
});

test('what is left out has its default, and sizes may be written as people do', async () => {
  const config = await load({ format: 1, shardSize: '64MiB', peers: [{ kind: 'local', name: 'a', path: 'peers/a', capacity: '2GB' }] });
  assert.equal(config?.shardSize, 64 * 1024 ** 2);
  assert.deepEqual(config?.peers, [{ kind: 'local', name: 'a', path: 'peers/a', capacity: 2e9, layout: 'car', tags: {} }]);
  assert.deepEqual(config?.replication, { min: 1, max: 1 });
});

test('an edited file is read anew, whatever the cache says', async () => {
  await load({ format: 1, shardSize: 1000 });
  assert.equal((await load({ format: 1, shardSize: 2000 }))?.shardSize, 2000);
});

test('what another version has checked is checked again, and a text that is the same is no change', async () => {
  await load({ format: 1, shardSize: 1000 });
  const changes: string[] = [];
  const load2 = () => loadConfig(home, '1.0.1', { onChanged: (found) => void changes.push(...found) });
  const cache = readFileSync(home.configCache, 'utf8');
  assert.equal((await load2())?.shardSize, 1000);
  assert.notEqual(readFileSync(home.configCache, 'utf8'), cache);
  assert.deepEqual(changes, []);
});

test('a hand edit is told once, with what was there before and without passwords; what shardctl writes is no news', async () => {
  const told: string[][] = [];
  const loaded = () => loadConfig(home, '1.0.0', { onChanged: (changes) => void told.push([...changes]) });
  const settings: Config = { ...DEFAULT_CONFIG, peers: [disk, { ...kubo, url: 'https://me:secret@attic:5001' }] };
  saveConfig(home, settings);
  await loaded();
  saveConfig(home, { ...settings, shardSize: 5 });
  await loaded();
  assert.deepEqual(told, []);
  const edited = {
    ...settings,
    onCommit: 'curl -H "Authorization: Bearer secret" https://cdn/purge',
    shardSize: 5,
    peers: [
      { ...disk, path: '/mnt/disk2' },
      { ...kubo, url: 'https://me:other@attic:5001' },
    ],
  };
  writeFileSync(home.config, JSON.stringify(edited));
  await loaded();
  await loaded();
  assert.deepEqual(told, [
    [
      'peers.disk1.path: "/mnt/disk1" → "/mnt/disk2"',
      'peers.attic.url: "https://…@attic:5001" → "https://…@attic:5001"',
      'onCommit: another command line',
    ],
  ]);
  assert.deepEqual((await restoreConfig(home)).at(-1), 'onCommit: no command line');
  assert.deepEqual(await loaded(), { ...settings, shardSize: 5 });
  assert.deepEqual(await restoreConfig(home), []);
});

test('one flipped bit in the settings, or in what was last checked, never counts unseen, and the command that the message names mends it', async () => {
  const settings: Config = { ...DEFAULT_CONFIG, peers: [{ ...disk, capacity: 5e11 }], replication: { min: 2, max: 3 } };
  saveConfig(home, settings);
  await loadConfig(home, '1.0.0');
  const good = new Map([home.config, home.configCache].map((file) => [file, readFileSync(file)]));
  const seen = { same: 0, refused: 0, told: 0 };
  for (const [damaged, bytes] of good) {
    for (let bit = 0; bit < bytes.length * 8; bit += sampled(7, 1)) {
      for (const [file, text] of good) writeFileSync(file, text);
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      writeFileSync(damaged, flipped);
      let told: readonly string[] = [];
      try {
        const found = await loadConfig(home, '1.0.0', {
          onChanged: (changes) => {
            told = changes;
          },
        });
        if (told.length > 0) seen.told++;
        else {
          assert.deepEqual(found, settings, `bit ${bit} of ${damaged}`);
          seen.same++;
          continue;
        }
      } catch (error) {
        assert.ok(error instanceof ShardctlError);
        assert.match(error.hint ?? '', /`shardctl config --restore`/, `bit ${bit} of ${damaged}`);
        seen.refused++;
      }
      // Each is written through to the disk.
      if (bit % 16 !== 0) continue;
      await restoreConfig(home);
      assert.deepEqual(await loadConfig(home, '1.0.0'), settings);
    }
  }
  assert.ok(seen.same > 0 && seen.refused > 0 && seen.told > 0, JSON.stringify(seen));
});

test('without a good copy there is nothing to restore', async () => {
  writeFileSync(home.config, '{');
  await assert.rejects(restoreConfig(home), { code: 'BAD_CONFIG' });
  await assert.rejects(loadConfig(home, '1.0.0'), { hint: 'mend it with an editor' });
});

test('a mistake is reported with file and field', async () => {
  const cases: [unknown, RegExp][] = [
    ['{"format": 1,}', /config\.json is not JSON/],
    [[], /config\.json/],
    [{}, /config\.json: format: /],
    [{ format: 1, colour: 'red' }, /config\.json: settings: unknown field "colour"/],
    [{ format: 1, shardSize: '12 parsecs' }, /config\.json: shardSize: "12 parsecs" is not a size/],
    [{ format: 1, shardSize: -1 }, /config\.json: shardSize: /],
    [{ format: 1, replication: { min: 3, max: 2 } }, /config\.json: replication: min is more than max/],
    [{ format: 1, replication: { min: 0, max: 2 } }, /config\.json: replication\.min: expected a number of peers/],
    [{ format: 1, peers: [{ ...disk, capacity: true }] }, /config\.json: peers\[0\]\.capacity: expected bytes/],
    [{ format: 1, peers: [{ ...disk, name: 'a b' }] }, /config\.json: peers\[0\]\.name: expected a name/],
    [{ format: 1, peers: [disk, disk] }, /config\.json: peers\[1\]\.name: two peers are called "disk1"/],
    [{ format: 1, peers: [{ ...disk, kind: 'floppy' }] }, /config\.json: peers\[0\]\.kind: expected "local", "kubo" or "cluster"/],
    [{ format: 1, peers: [{ ...kubo, url: 'ftp://attic' }] }, /config\.json: peers\[0\]\.url: expected an http or https URL/],
    [{ format: 1, peers: [{ ...kubo, path: '/x' }] }, /config\.json: peers\[0\]: unknown field "path"/],
    [{ format: 1, peers: [{ ...disk, layout: 'zip' }] }, /config\.json: peers\[0\]\.layout: expected "car" or "blockstore"/],
    [{ format: 1, keep: 'bogus' }, /config\.json: keep: keep "bogus": "bogus" is no rule/],
    [{ format: 1, keep: 'last=0' }, /config\.json: keep: keep "last=0": that keeps nothing/],
    [{ format: 1, hookTimeout: '0s' }, /config\.json: hookTimeout: expected a time such as "90s"/],
  ];
  for (const [value, message] of cases) await assert.rejects(load(value), { code: 'BAD_CONFIG', exitCode: 2, message });
});

test('settings with a password in them are for their owner alone, and so is their cache', async () => {
  const modes = async (peers: Config['peers']) => {
    saveConfig(home, { ...DEFAULT_CONFIG, peers });
    await loadConfig(home, '1.0.0');
    return [home.config, home.configCache].map((file) => statSync(file).mode & 0o077);
  };
  assert.deepEqual(await modes([{ ...kubo, url: 'https://user:secret@attic:5001' }]), [0, 0]);
  const open = 0o044 & ~process.umask();
  assert.deepEqual(await modes([kubo]), [open, open]);
});

test('a newer format is refused, whatever else it says', async () => {
  await assert.rejects(load({ format: 7, future: true }), { code: 'NEWER_FORMAT', exitCode: 45, message: /format 7; .* up to format 1/ });
});

test('settings that are a link stay one: what it leads to is written, in its own mode', async () => {
  const managed = mkdtempSync(join(tmpdir(), 'shardctl-managed-'));
  try {
    saveConfig(home, DEFAULT_CONFIG);
    for (const file of ['a', 'b']) rmSync(join(managed, file), { force: true });
    renameSync(home.config, join(managed, 'a'));
    chmodSync(join(managed, 'a'), 0o664);
    symlinkSync('a', join(managed, 'b'));
    symlinkSync(join(managed, 'b'), home.config);
    saveConfig(home, { ...DEFAULT_CONFIG, shardSize: 4096 });
    assert.equal((await loadConfig(home, '1.0.0'))?.shardSize, 4096);
    assert.match(readFileSync(join(managed, 'a'), 'utf8'), /4096/);
    assert.equal(statSync(join(managed, 'a')).mode & 0o777, 0o664);
    for (const link of [home.config, join(managed, 'b')]) assert.ok(lstatSync(link).isSymbolicLink());
    assert.deepEqual(readdirSync(managed).sort(), ['a', 'b']);

    // It led nowhere: restoring fills it in.
    rmSync(join(managed, 'a'));
    assert.equal(await loadConfig(home, '1.0.0'), undefined);
    await restoreConfig(home);
    assert.equal((await loadConfig(home, '1.0.0'))?.shardSize, 4096);
    assert.ok(lstatSync(home.config).isSymbolicLink());

    rmSync(home.config);
    symlinkSync(join(managed, 'none', 'c'), home.config);
    assert.throws(() => saveConfig(home, DEFAULT_CONFIG), { code: 'IO', message: /writing the settings failed .*leads to .*none\/c/ });
    rmSync(home.config);
    symlinkSync('config.json', home.config);
    assert.throws(() => saveConfig(home, DEFAULT_CONFIG), { code: 'IO', message: /ELOOP/ });
  } finally {
    rmSync(managed, { recursive: true });
    rmSync(home.config, { force: true });
  }
});
