/** Several runs put shards on one local peer at the same time: together they keep to its capacity, however they begin, end and die. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../../core/errors.ts';
import { SharedLock } from '../../home/lock.ts';
import type { LockOptions } from '../../home/lock-files.ts';
import { PromisedSpace } from '../../home/promised-space.ts';
import { sampled } from '../../testing/depth.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { makeShard } from '../../testing/shards.ts';
import type { SealedShard } from '../peer.ts';
import { LocalPeer } from './local.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-capacity-'));
after(() => rmSync(scratch, { recursive: true }));

mkdirSync(join(scratch, 'shards'));
const SHARDS = Array.from({ length: 12 }, (_, n) => makeShard(join(scratch, 'shards'), [Buffer.alloc(1000 + 400 * (n % 4), n + 1)]));
const CAPACITY = 8_000;

/** A home with one peer, on which processes may run that are called by numbers. */
class World {
  readonly dir = mkdtempSync(join(scratch, 'world-'));
  readonly living = new Set<number>();
  readonly path = join(this.dir, 'peer');

  async begin(pid: number, layout: 'car' | 'blockstore' = 'car'): Promise<Run> {
    this.living.add(pid);
    const processes: LockOptions['processes'] = {
      self: () => ({ pid, host: 'h', scope: 's', started: String(pid) }),
      startedOf: (other) => (this.living.has(other) ? String(other) : undefined),
      isPast: () => false,
    };
    const lock = await SharedLock.acquire(join(this.dir, 'lock'), { command: 'add', waitMs: 1000, processes, now: Date.now });
    lock.share();
    const space = new PromisedSpace(lock, join(this.dir, 'runs'));
    const options = { owner: TEST_OWNER, name: 'disk1', path: this.path, layout, capacity: CAPACITY, space };
    return { pid, lock, space, peer: await LocalPeer.create(options) };
  }

  /** Bytes of the CARs that lie there. */
  get used(): number {
    const shards = join(this.path, 'shards');
    const names = readdirSync(shards, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.car'));
    return names.reduce((sum, name) => sum + statSync(join(shards, name)).size, 0);
  }
}

interface Run {
  readonly pid: number;
  readonly lock: SharedLock;
  readonly space: PromisedSpace;
  readonly peer: LocalPeer;
}

/** @returns whether it was taken */
async function put({ peer }: Run, shard: SealedShard): Promise<boolean> {
  try {
    await peer.put(shard, { mayConsume: false, signal: new AbortController().signal });
    return true;
  } catch (error) {
    assert.ok(error instanceof ShardctlError && error.code === 'NO_SPACE', String(error));
    return false;
  }
}

/** What befalls each of three places for a run: it is left alone, its run ends and another begins, or its run dies in the middle of a put. */
const round = fc.record({
  fate: fc.array(fc.constantFrom('goes on', 'goes on', 'another', 'dies'), { minLength: 3, maxLength: 3 }),
  puts: fc.array(fc.record({ place: fc.nat(2), shard: fc.nat(SHARDS.length - 1) }), { maxLength: 6 }),
});

test('whatever runs put there at the same time, what lies there never exceeds the capacity; and a run alone can fill it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
      const world = new World();
      let pid = 1;
      const places = [await world.begin(pid++), await world.begin(pid++), await world.begin(pid++)];
      for (const { fate, puts } of rounds) {
        for (const [place, what] of fate.entries()) {
          const run = places[place] as Run;
          if (what === 'goes on') continue;
          if (what === 'another') run.lock.release();
          else run.space.promise('disk1', CAPACITY);
          world.living.delete(run.pid);
          places[place] = await world.begin(pid++);
        }
        await Promise.all(puts.map(({ place, shard }) => put(places[place] as Run, SHARDS[shard] as SealedShard)));
        assert.ok(world.used <= CAPACITY, `${world.used} bytes lie there`);
      }
      for (const { lock } of places) lock.release();
      const last = await world.begin(pid++);
      const [smallest] = SHARDS.toSorted((a, b) => a.carBytes - b.carBytes);
      for (const shard of SHARDS) await put(last, shard);
      assert.ok(world.used <= CAPACITY && world.used > CAPACITY - 4 * (smallest as SealedShard).carBytes, `${world.used} bytes in the end`);
      last.lock.release();
      rmSync(world.dir, { recursive: true });
    }),
    { numRuns: sampled(8, 30) },
  );
});

test('a run sees in its next metric what another has put there since, and what it is putting there', async () => {
  const world = new World();
  const [one, two] = [await world.begin(1), await world.begin(2)];
  const free = async ({ peer }: Run) => (await peer.metric()).freeBytes;
  const shard = SHARDS[0] as SealedShard;
  assert.deepEqual([await free(one), await free(two)], [CAPACITY, CAPACITY]);
  await put(one, shard);
  assert.deepEqual([await free(one), await free(two)], [CAPACITY - shard.carBytes, CAPACITY - shard.carBytes]);
  const promised = two.space.promise('disk1', 1000);
  assert.equal(await free(one), CAPACITY - shard.carBytes - 1000);
  promised.release();
  assert.equal(await free(one), CAPACITY - shard.carBytes);
  two.space.promise('disk1', 1000);
  world.living.delete(2);
  assert.equal(await free(one), CAPACITY - shard.carBytes, 'the promise of a run that has died does not count');
});

for (const layout of ['car', 'blockstore'] as const) {
  test(`${layout}: a shard that a run puts there counts once, also while all are added up again because another run puts some`, async () => {
    const world = new World();
    const [one, two] = [await world.begin(1, layout), await world.begin(2, layout)];
    let there = 0;
    for (const shard of SHARDS.slice(0, 4)) {
      let isThere = false;
      const putting = put(one, shard).finally(() => {
        isThere = true;
      });
      while (!isThere) {
        two.space.promise('disk1', 1).release();
        await one.peer.metric();
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.ok(await putting);
      there += shard.carBytes;
      assert.equal((await one.peer.metric()).usedBytes, there);
    }
    one.lock.release();
    two.lock.release();
  });
}
