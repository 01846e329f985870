import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { errnoOf } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import { parseCid, sha256 } from '../../dag/cid.ts';
import { everythingIn, type HeldBlock, StoredHome } from '../../testing/stored-home.ts';
import { encodeOffsets } from './offsets-file.ts';
import { Replicas } from './replicas.ts';
import { StoredBlocks } from './stored-blocks.ts';

let made: StoredHome;

before(async () => {
  made = await StoredHome.make(['a']);
});
after(() => made.remove());

describe('the files of offsets', () => {
  const harm: Record<string, (path: string, others: readonly string[]) => void> = {
    'that are torn': (path) => truncateSync(path, 5000),
    'that are empty': (path) => truncateSync(path, 0),
    'with a byte changed': (path) => {
      const bytes = readFileSync(path);
      bytes[100] = (bytes[100] as number) ^ 0x55;
      writeFileSync(path, bytes);
    },
    'of another shard': (path, others) => writeFileSync(path, readFileSync(others.find((other) => other !== path) as string)),
    'that were deleted': (path) => rmSync(path),
  };
  for (const [what, change] of Object.entries(harm)) {
    test(`${what} lead to no wrong block, and are made again`, async () => {
      await made.opened(async (opened) => {
        const { index, home, blocks, cache, trouble } = opened;
        const held = await everythingIn(opened);
        const [first] = held.map(({ cid }) => cid);
        await blocks.read(held[0]?.digest as Uint8Array);
        await blocks.read(held.find(({ cid }) => cid !== first)?.digest as Uint8Array);
        const folder = join(cache, 'offsets');
        const paths = readdirSync(folder).map((name) => join(folder, name));
        const good = new Map(paths.map((path) => [path, readFileSync(path)]));
        for (const path of paths) change(path, paths);
        const replicas = new Replicas({ peers: home.peers, cache });
        const again = new StoredBlocks({ index, replicas });
        for (const { digest } of held) assert.deepEqual(Buffer.from(sha256(await again.read(digest))), Buffer.from(digest));
        for (const [path, bytes] of good) assert.ok(bytes.equals(readFileSync(path)), path);
        await replicas.close();
        assert.deepEqual(trouble, []);
      });
    });
  }

  test('with good checksums and wrong places lead to no wrong block, and are made again', async () => {
    await made.opened(async (opened) => {
      const { blocks, index, home, cache } = opened;
      const held = await everythingIn(opened);
      for (const { digest } of held) await blocks.read(digest);
      for (const cid of new Set(held.map((block) => block.cid))) {
        const path = join(cache, 'offsets', cid);
        const good = readFileSync(path);
        const its = held.filter((block) => block.cid === cid);
        const places = {
          digests: Buffer.concat(its.map(({ digest }) => digest)),
          at: its.map((_, block) => block),
          lengths: its.map(({ length }) => length),
        };
        writeFileSync(path, await encodeOffsets(parseCid(cid).digest, places, new Turns(undefined)));
        const replicas = new Replicas({ peers: home.peers, cache });
        const again = new StoredBlocks({ index, replicas });
        for (const { digest } of its) assert.deepEqual(Buffer.from(sha256(await again.read(digest))), Buffer.from(digest));
        assert.ok(good.equals(readFileSync(path)));
        await replicas.close();
      }
    });
  });

  test('are made and read by several servers at once, while somebody deletes them', async () => {
    await made.opened(async (opened) => {
      const { index, home, cache } = opened;
      const held = await everythingIn(opened);
      const servers = Array.from({ length: 4 }, () => new Replicas({ peers: home.peers, cache }));
      const walk = async (replicas: Replicas, from: number) => {
        const blocks = new StoredBlocks({ index, replicas });
        for (let at = 0; at < held.length; at++) {
          const { digest } = held[(from + at * 7) % held.length] as HeldBlock;
          assert.deepEqual(Buffer.from(sha256(await blocks.read(digest))), Buffer.from(digest));
          if (at % 300 === 0) {
            removeAmongWriters(cache);
            // As after a minute in which nobody has used them.
            replicas.cars.close();
            await setImmediate();
          }
        }
        await blocks.close();
      };
      await Promise.all(servers.map((replicas, at) => walk(replicas, at * 100)));
      assert.ok(readdirSync(join(cache, 'offsets')).every((name) => !name.endsWith('.new')));
      for (const replicas of servers) await replicas.close();
    });
  });

  test('are kept in memory where no file can be written', async () => {
    await made.opened(async (opened) => {
      const { index, home, cache } = opened;
      writeFileSync(cache, 'a file where the directory would be');
      const replicas = new Replicas({ peers: home.peers, cache });
      const blocks = new StoredBlocks({ index, replicas });
      for (const { digest } of await everythingIn(opened)) {
        await blocks.read(digest);
        assert.ok(blocks.extentNow(digest));
      }
      await replicas.close();
    });
  });
});

/** Another server may put a file into a directory that is being removed, over and over: what is left then goes the next time. */
function removeAmongWriters(dir: string): void {
  try {
    rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 5 });
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
  }
}
