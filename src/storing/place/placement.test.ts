/** Laws of placing under any delays and failures of peers, in a time of the test's own. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import { mostReplicas, type Replication, type ShardRecord } from '../../core/model.ts';
import type { Peer, PutOptions, SealedShard } from '../../peer/peer.ts';
import type { PackedShard } from '../pack/open-shard.ts';
import type { PlacingLedger } from './placement.ts';
import { Placer } from './placer.ts';

const STEP_MS = 100;

/** What becomes of a put: it is done, or fails, after so long. */
interface Fate {
  readonly ms: number;
  readonly fails: 'no' | 'once' | 'yes';
}

interface Script {
  readonly kind: 'local' | 'kubo';
  /** The fates of its puts, one after the other and over again. */
  readonly fates: readonly Fate[];
  /** It ends a put at once that is given up; otherwise it goes on, as a hung disk does, and may be done all the same. */
  readonly hears: boolean;
}

interface Plan {
  readonly peers: readonly Script[];
  readonly replication: Replication;
  readonly shards: number;
  readonly transfers: number;
}

const ms = fc.constantFrom(0, 1, 50, 400, 3_000, 20_000, 90_000);
const steady = fc.record({ ms, fails: fc.constantFrom('no' as const, 'no' as const, 'once' as const) });
const any = fc.record({ ms, fails: fc.constantFrom('no' as const, 'once' as const, 'yes' as const) });

function script(fate: fc.Arbitrary<Fate>): fc.Arbitrary<Script> {
  return fc.record({
    kind: fc.constantFrom('local' as const, 'kubo' as const),
    fates: fc.array(fate, { minLength: 1, maxLength: 5 }),
    hears: fc.boolean(),
  });
}

/** As many peers as a shard needs replicas complete every put in the end, however long it takes; others may do anything. */
const plans: fc.Arbitrary<Plan> = fc
  .record({ min: fc.integer({ min: 1, max: 3 }), more: fc.integer({ min: 0, max: 2 }), others: fc.array(script(any), { maxLength: 3 }) })
  .chain(({ min, more, others }) =>
    fc.record({
      peers: fc
        .array(script(steady), { minLength: min, maxLength: min })
        .chain((able) => fc.shuffledSubarray([...able, ...others], { minLength: able.length + others.length })),
      replication: fc.constant({ min, max: min + more }),
      shards: fc.integer({ min: 1, max: 6 }),
      transfers: fc.integer({ min: 1, max: 4 }),
    }),
  );

/** The peers of a plan, and books about what is done to them. */
class World {
  readonly dir = mkdtempSync(join(tmpdir(), 'shardctl-placement-'));
  readonly #plan: Plan;
  readonly #announced = new Set<string>();
  readonly #has = new Set<string>();
  readonly #failed = new Set<string>();
  readonly #doubted = new Set<string>();
  /** Whose puts have thrown an error, not always the last time. */
  readonly #threw = new Set<string>();
  /** Bytes promised and neither arrived nor released. */
  readonly #promised = new Map<string, number>();
  readonly records: ShardRecord[] = [];
  readonly broken: string[] = [];

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  placer(now: () => number): Placer {
    return new Placer({
      repository: 'test',
      peers: new Map(this.#plan.peers.map((its, i) => [`p${i}`, this.#peer(`p${i}`, its) as unknown as Peer])),
      replication: this.#plan.replication,
      ledger: this.#ledger(),
      transfers: this.#plan.transfers,
      emit: () => {},
      signal: new AbortController().signal,
      now,
      patienceMs: 500,
      retryDelaysMs: [10],
      announce: async ({ cid, peers }) => {
        await setImmediate();
        for (const name of peers) this.#announced.add(`${cid} ${name}`);
      },
      record: async (record) => void this.records.push(record),
    });
  }

  shard(number: number): PackedShard {
    const carPath = join(this.dir, `${number}.car`);
    writeFileSync(carPath, 'car');
    return { number, cid: `cid${number}`, bytes: 3, blocks: 1, dagSize: 4, carPath, carBytes: 3, digests: new DigestMap() };
  }

  check(): void {
    const { shards, replication } = this.#plan;
    assert.deepEqual(this.broken, []);
    assert.equal(this.records.length, shards);
    for (const { cid, peers } of this.records) {
      assert.equal(new Set(peers).size, peers.length);
      assert.ok(peers.length >= replication.min, `${cid} has ${peers.length} replicas, of ${replication.min}`);
      assert.ok(peers.length <= mostReplicas(replication, new Map()), `${cid} has ${peers.length} replicas`);
      for (const name of peers) assert.ok(this.#has.has(`${cid} ${name}`), `${name} has ${cid}`);
    }
    for (const name of this.#threw)
      assert.ok(this.#failed.has(name) || this.#doubted.has(name), `${name} has failed, and is not asked again`);
    for (const [name, bytes] of this.#promised) assert.equal(bytes, 0, `${name} is owed ${bytes} bytes`);
    assert.deepEqual(readdirSync(this.dir), []);
  }

  #peer(name: string, { kind, fates, hears }: Script) {
    let next = 0;
    const again = new Set<string>();
    const put = async (shard: SealedShard, { signal, mayConsume }: PutOptions) => {
      const key = `${shard.cid} ${name}`;
      if (!this.#announced.has(key)) this.broken.push(`${key} is put and was not announced`);
      if (!existsSync(shard.carPath)) this.broken.push(`${key} is put and its file is gone`);
      const fate = fates[next++ % fates.length] as Fate;
      const onAbort = () => {
        const copies = [...this.#has].filter((it) => it.startsWith(`${shard.cid} `)).length;
        if (copies < this.#plan.replication.min && !mayConsume) this.broken.push(`${key} is given up and was needed`);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      await new Promise<void>((resolve, reject) => {
        globalThis.setTimeout(resolve, fate.ms);
        if (hears) signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      signal.removeEventListener('abort', onAbort);
      if (fate.fails === 'once' && !again.has(key) && again.add(key)) {
        if (!signal.aborted) this.#threw.add(name);
        throw new ShardctlError('IO', 'not now', { retryable: true });
      }
      if (fate.fails === 'yes') throw new ShardctlError('IO', 'broken');
      if (mayConsume && !signal.aborted) rmSync(shard.carPath);
      this.#has.add(key);
    };
    return { name, kind, tags: {}, put };
  }

  #ledger(): PlacingLedger {
    const change = (name: string, by: number) => {
      const owed = (this.#promised.get(name) ?? 0) + by;
      if (owed < 0) this.broken.push(`${name} gets back more than it was promised`);
      this.#promised.set(name, owed);
    };
    const failed = this.#failed;
    const names = this.#plan.peers.map((_, i) => `p${i}`);
    return {
      refresh: async () => {},
      allocate({ bytes, replication: { min, max }, holders = [], except, lagging }) {
        const able = names.filter((name) => !failed.has(name) && except?.has(name) !== true && !holders.includes(name));
        const inOrder = [...able.filter((name) => lagging?.has(name) !== true), ...able.filter((name) => lagging?.has(name) === true)];
        if (inOrder.length < min) throw new ShardctlError('NO_SPACE', 'nobody is left');
        const chosen = inOrder.slice(0, max);
        for (const name of chosen) change(name, bytes);
        return chosen;
      },
      arrived: async (name, bytes) => {
        change(name, -bytes);
        await setImmediate();
      },
      release: (name, bytes) => change(name, -bytes),
      exclude: (name) => !failed.has(name) && failed.add(name) !== undefined,
      doubt: (name) => void this.#doubted.add(name),
    };
  }
}

test('whatever peers do, as long as enough complete in the end, each shard gets its least replicas and no needed put is given up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let clock = 0;
  const pass = async (work: Promise<void>) => {
    let isDone = false;
    const ended = work.finally(() => {
      isDone = true;
    });
    ended.catch(() => {});
    while (!isDone) {
      for (let turns = 0; turns < 3; turns++) await setImmediate();
      clock += STEP_MS;
      t.mock.timers.tick(STEP_MS);
    }
    await ended;
  };
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const world = new World(plan);
      try {
        const placer = world.placer(() => clock);
        await pass(
          (async () => {
            for (let number = 0; number < plan.shards; number++) await placer.place(world.shard(number));
            await placer.drained();
          })(),
        );
        world.check();
      } finally {
        rmSync(world.dir, { recursive: true });
      }
    }),
    { numRuns: 150, includeErrorInReport: true },
  );
});
