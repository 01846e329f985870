import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import type { Replication, ShardRecord } from '../../core/model.ts';
import type { Peer, PutOptions, SealedShard } from '../../peer/peer.ts';
import type { PackedShard } from '../pack/open-shard.ts';
import { type PlaceOptions, Placer } from './placer.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-place-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A peer that remembers what it was given, or fails. */
class FakePeer {
  readonly kind = 'local';
  readonly tags = {};
  readonly name: string;
  readonly has = new Set<string>();
  readonly #put: (shard: SealedShard, options: PutOptions) => Promise<void>;

  constructor(name: string, put: (shard: SealedShard, options: PutOptions) => Promise<void> = async () => {}) {
    this.name = name;
    this.#put = put;
  }

  async put(shard: SealedShard, options: PutOptions): Promise<void> {
    assert.ok(existsSync(shard.carPath), 'the file is there as long as anybody needs it');
    await this.#put(shard, options);
    if (options.mayConsume) rmSync(shard.carPath);
    this.has.add(shard.cid);
  }

  async metric() {
    return { freeBytes: 1000, usedBytes: 0, at: 0 };
  }
}

const broken = async (): Promise<void> => {
  throw new ShardctlError('IO', 'disk error');
};

interface World {
  readonly placer: Placer;
  readonly records: ShardRecord[];
  readonly events: Event[];
}

/** Allocates in the order of the peers, those that lag last, as long as they have not failed. */
function world(
  peers: FakePeer[],
  replication: Replication,
  { onRecord = async () => {}, ...more }: Partial<PlaceOptions> & { onRecord?: (shard: ShardRecord) => Promise<void> } = {},
): World {
  const records: ShardRecord[] = [];
  const events: Event[] = [];
  const failed = new Set<string>();
  const placer = new Placer({
    repository: 'test',
    peers: new Map(peers.map((peer) => [peer.name, peer as unknown as Peer])),
    replication,
    ledger: {
      refresh: async () => {},
      allocate({ replication: { min, max }, holders = [], except, lagging }) {
        const able = peers.map(({ name }) => name).filter((name) => !failed.has(name) && !except?.has(name) && !holders.includes(name));
        const names = [...able.filter((name) => !lagging?.has(name)), ...able.filter((name) => lagging?.has(name))];
        if (names.length < min) throw new ShardctlError('NO_SPACE', 'nobody is left');
        return names.slice(0, max < 0 ? names.length : max);
      },
      arrived: async () => {},
      release() {},
      doubt() {},
      exclude: (name) => !failed.has(name) && failed.add(name) !== undefined,
    },
    emit: (event) => void events.push(event),
    signal: new AbortController().signal,
    now: Date.now,
    announce: async () => {},
    record: async (shard) => {
      await onRecord(shard);
      records.push(shard);
    },
    retryDelaysMs: [0, 0],
    ...more,
  });
  return { placer, records, events };
}

/** Lets everything happen that needs no time to pass. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await setImmediate();
}

/** Real time. Files are written and removed in it, however busy the machine is. */
const DISK_WAIT_MS = 30_000;

/** Waits for work while a minute of the test's own time passes. */
async function timePasses(t: TestContext, work: Promise<void>): Promise<void> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  const until = performance.now() + DISK_WAIT_MS;
  for (let tenths = 0; !isOver && performance.now() < until; tenths++) {
    await turns();
    if (tenths < 600) t.mock.timers.tick(100);
  }
  assert.ok(isOver, 'it is not over after a minute');
  await work;
}

/** Resolves only when the put is aborted, with its reason. */
const hanging = (_: SealedShard, { signal }: PutOptions): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

function shard(number: number): PackedShard {
  const carPath = join(dir, `${number}.car`);
  writeFileSync(carPath, 'car');
  return { number, cid: `cid${number}`, bytes: 3, blocks: 1, dagSize: 4, carPath, carBytes: 3, digests: new DigestMap() };
}

test('a shard is recorded when all of its peers have it, and its file is gone then', async () => {
  const peers = [new FakePeer('a'), new FakePeer('b'), new FakePeer('c')];
  const { placer, records } = world(
    peers,
    { min: 2, max: 2 },
    {
      onRecord: async ({ peers: holders }) => {
        for (const name of holders) assert.ok(peers.find((peer) => peer.name === name)?.has.has('cid0'));
      },
    },
  );
  await placer.place(shard(0));
  await placer.drained();
  assert.deepEqual(
    records.map(({ state, peers: holders }) => [state, holders]),
    [['placed', ['a', 'b']]],
  );
  assert.equal(existsSync(join(dir, '0.car')), false);
});

test('another peer takes the place of one that fails, which is named once and gets nothing more', async () => {
  const peers = [new FakePeer('bad', broken), new FakePeer('b'), new FakePeer('c')];
  const { placer, records, events } = world(peers, { min: 2, max: 2 });
  for (let i = 0; i < 4; i++) await placer.place(shard(i));
  await placer.drained();
  for (const { peers: holders } of records) assert.deepEqual(holders, ['b', 'c']);
  assert.equal(records.length, 4);
  assert.equal(events.filter((event) => event.type === 'warning' && event.message.includes('bad')).length, 1);
});

test('fewer replicas than the most are enough, fewer than the least stop the run with what went wrong', async () => {
  const enough = world([new FakePeer('a'), new FakePeer('bad', broken)], { min: 1, max: 2 });
  await enough.placer.place(shard(0));
  await enough.placer.drained();
  assert.deepEqual(enough.records[0]?.peers, ['a']);

  const few = world([new FakePeer('a'), new FakePeer('bad', broken)], { min: 2, max: 2 });
  await assert.rejects(async () => {
    await few.placer.place(shard(1));
    await few.placer.drained();
  }, ShardctlError);
  assert.deepEqual(few.records, []);
});

test('a slow peer holds the pipeline back instead of piling up shards', async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { placer, records } = world([new FakePeer('slow', () => gate)], { min: 1, max: 1 });
  let accepted = 0;
  const producing = (async () => {
    for (let i = 0; i < 8; i++) {
      await placer.place(shard(i));
      accepted++;
    }
  })();
  await turns();
  assert.ok(accepted <= 3, `${accepted} accepted while none could be placed`);
  release();
  await producing;
  await placer.drained();
  assert.equal(records.length, 8);
});

test('what may go well another time is tried again before a peer is left out, and nothing else is', async () => {
  const failures = [new ShardctlError('IO', 'reset', { retryable: true }), new ShardctlError('IO', 'busy', { retryable: true })];
  let tries = 0;
  const flaky = new FakePeer('flaky', async () => {
    tries++;
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
  });
  const { placer, records, events } = world([flaky, new FakePeer('other')], { min: 1, max: 1 });
  await placer.place(shard(0));
  await placer.drained();
  assert.deepEqual([records[0]?.peers, tries], [['flaky'], 3]);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['retry', 'retry', 'placed'],
  );
  const hopeless = world([new FakePeer('bad', broken), new FakePeer('other')], { min: 1, max: 1 });
  await hopeless.placer.place(shard(1));
  await hopeless.placer.drained();
  assert.ok(!hopeless.events.some(({ type }) => type === 'retry'));
});

test('each put is told the whole allocation, and holds its bytes back where there is a limit', async () => {
  const told: (readonly string[] | undefined)[] = [];
  const passed: number[] = [];
  const put = async (_: SealedShard, { allocation, throttle }: PutOptions) => {
    told.push(allocation);
    await throttle?.(3);
  };
  const throttle = async (bytes: number) => void passed.push(bytes);
  const { placer } = world([new FakePeer('a', put), new FakePeer('b', put)], { min: 2, max: 2 }, { throttle });
  await placer.place(shard(0));
  await placer.drained();
  assert.deepEqual(told, [
    ['a', 'b'],
    ['a', 'b'],
  ]);
  assert.deepEqual(passed, [3, 3]);
});

test('shards go on to fast peers while a slow one has its first, and the end of the run does not wait for it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  for (const transfers of [1, 2]) {
    const slow = new FakePeer('slow', hanging);
    const { placer, records, events } = world([slow, new FakePeer('fast')], { min: 1, max: 1 }, { patienceMs: 5, transfers });
    let most = 0;
    for (let i = 0; i < 40; i++) {
      await timePasses(t, placer.place(shard(i)));
      most = Math.max(most, readdirSync(dir).length);
    }
    await timePasses(t, placer.drained());
    assert.equal(records.length, 40);
    assert.ok(records.every(({ peers }) => peers.join() === 'fast'));
    assert.ok(most <= 2 * transfers + 2, `${most} shards in the spool at once`);
    assert.ok(events.some((event) => event.type === 'warning' && /slow is much slower.*goes to fast/.test(event.message)));
  }
});

test('a replica that is not needed is given up with its slow peer, one that is needed is waited for', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  const spare = world([new FakePeer('slow', hanging), new FakePeer('fast')], { min: 1, max: 2 }, { patienceMs: 5 });
  await spare.placer.place(shard(0));
  await timePasses(t, spare.placer.drained());
  assert.deepEqual(spare.records[0]?.peers, ['fast']);

  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const needed = world([new FakePeer('slow', () => gate), new FakePeer('fast')], { min: 2, max: 2 }, { patienceMs: 5 });
  await needed.placer.place(shard(1));
  const drained = needed.placer.drained();
  for (let seconds = 0; seconds < 3600; seconds++) {
    t.mock.timers.tick(1000);
    await setImmediate();
  }
  assert.equal(needed.records.length, 0);
  release();
  await drained;
  assert.deepEqual(needed.records[0]?.peers, ['fast', 'slow']);
});

test('an aborted run ends with its own reason, not with what the abort did to a put', async () => {
  const controller = new AbortController();
  const { placer, records } = world([new FakePeer('a', hanging)], { min: 1, max: 1 }, { signal: controller.signal });
  await placer.place(shard(0));
  controller.abort(new ShardctlError('INTERRUPTED', 'interrupted'));
  await assert.rejects(placer.drained(), { code: 'INTERRUPTED' });
  assert.deepEqual(records, []);
});
