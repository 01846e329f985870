import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { ShardctlError } from '../../core/errors.ts';
import { sampled } from '../../testing/depth.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { makeBlocks, makeShard } from '../../testing/shards.ts';
import { layoutAt } from './directory/identity.ts';
import { LocalPeer, type LocalPeerOptions } from './local.ts';

let dir: string;
let options: LocalPeerOptions;
let file: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-identity-'));
  options = { owner: TEST_OWNER, name: 'disk1', path: join(dir, 'peer'), layout: 'car' };
  file = join(options.path, 'peer.json');
  await LocalPeer.create(options);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** With its checksum, as a version to come would write it. */
function withCheck(identity: object): string {
  return JSON.stringify({ ...identity, check: crc32(JSON.stringify(identity)) });
}

const OLD = '{"format":1,"layout":"car","id":"0f4d9a52-6f0e-4d6e-9c63-0e5a3a6d8c11"}\n';

test('one flipped bit of peer.json leaves the peer as it is, or refused with the command that mends it, which loses nothing', async () => {
  const shard = makeShard(dir, makeBlocks(3, 30));
  await new LocalPeer(options).put(shard, { mayConsume: false, signal: new AbortController().signal });
  let refused = 0;
  for (const text of [readFileSync(file, 'utf8'), OLD]) {
    for (let bit = 0; bit < 8 * text.length; bit += sampled(5, 1)) {
      const bytes = Buffer.from(text);
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      writeFileSync(file, bytes);
      const peer = new LocalPeer(options);
      const error = await peer.metric().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error !== undefined) {
        refused++;
        assert.ok(error instanceof ShardctlError && error.code === 'DAMAGE', `bit ${bit}: ${error}`);
        assert.match(error.message, /`shardctl repair`/);
        assert.ok(await new LocalPeer(options).mendIdentity(true));
        assert.deepEqual(readFileSync(file), bytes, 'a dry run writes nothing');
        assert.ok(await peer.mendIdentity());
      }
      assert.equal(await peer.mendIdentity(), undefined);
      assert.equal(await new LocalPeer(options).has(shard.cid), true, `bit ${bit}`);
    }
  }
  // Half of all bits and more; a sample has a fifth of them.
  assert.ok(refused > 1000 / sampled(5, 1), `${refused} of them`);
});

test('a newer format is refused and never written over', async () => {
  const newer = withCheck({ format: 3, layout: 'packs', id: 'x', more: ['of it'] });
  writeFileSync(file, newer);
  await assert.rejects(new LocalPeer(options).metric(), { code: 'NEWER_FORMAT' });
  await assert.rejects(LocalPeer.create(options), { code: 'NEWER_FORMAT' });
  assert.equal(await new LocalPeer(options).mendIdentity(), undefined);
  assert.equal(readFileSync(file, 'utf8'), newer);
});

test('an empty mount point, or a directory without shards, is nothing to mend', async () => {
  const empty = { ...options, path: join(dir, 'empty') };
  mkdirSync(empty.path);
  assert.equal(await new LocalPeer(empty).mendIdentity(), undefined);
  assert.deepEqual(readdirSync(empty.path), []);
  writeFileSync(join(empty.path, 'peer.json'), '');
  assert.equal(await new LocalPeer(empty).mendIdentity(), undefined);
  await assert.rejects(new LocalPeer(empty).metric(), { code: 'DAMAGE', hint: /shardctl peers rm disk1 --force/ });
  rmSync(file);
  assert.equal(await new LocalPeer(options).mendIdentity(), undefined);
  assert.equal(existsSync(file), false);
});

test('who names a directory with a damaged peer.json takes it for what is in it', async () => {
  writeFileSync(file, '{');
  assert.equal(await layoutAt(options.path), 'car');
  await LocalPeer.create(options);
  await new LocalPeer(options).metric();
});
