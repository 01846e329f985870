/** Laws of the ledger against a plain model of disks: what they really hold, however late they say so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../../core/errors.ts';
import type { Metric } from '../../core/model.ts';
import type { Peer } from '../../peer/peer.ts';
import { RESERVE_BYTES } from './allocators.ts';
import { Ledger } from './ledger.ts';

const MIB = 2 ** 20;
const ZONES = ['x', 'y', 'z'];

/** A disk that says what is free on it as of when it looked last. */
class Disk {
  readonly kind = 'local';
  readonly name: string;
  readonly tags: { readonly zone: string };
  readonly reserve: number;
  free: number;
  isSilent = false;
  #said: Metric;

  constructor(name: string, { free, zone, reserve }: { free: number; zone: string; reserve: number }) {
    this.name = name;
    this.tags = { zone };
    this.reserve = reserve;
    this.free = free;
    this.#said = { freeBytes: free, usedBytes: 0, at: 0 };
  }

  look(now: number): void {
    this.#said = { freeBytes: this.free, usedBytes: 0, at: now };
  }

  async metric(): Promise<Metric> {
    if (this.isSilent) throw new ShardctlError('TOO_FEW_PEERS', 'does not answer');
    return this.#said;
  }
}

type Step =
  | { readonly kind: 'allocate'; readonly mib: number; readonly min: number; readonly more: number; readonly holders: number }
  | { readonly kind: 'arrived' | 'released' | 'failed'; readonly which: number }
  | { readonly kind: 'looks' | 'silent' | 'speaks'; readonly disk: number }
  | { readonly kind: 'refresh' };

const small = fc.integer({ min: 0, max: 9 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('allocate' as const),
      mib: fc.integer({ min: 1, max: 30 }),
      min: fc.integer({ min: 1, max: 3 }),
      more: fc.integer({ min: 0, max: 2 }),
      holders: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('arrived' as const, 'arrived' as const, 'released' as const, 'failed' as const),
      which: small,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('looks' as const, 'looks' as const, 'silent' as const, 'speaks' as const), disk: small }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refresh' as const) }) },
);
const disk = fc.record({
  free: fc.integer({ min: 0, max: 150 }).map((mib) => mib * MIB),
  zone: fc.constantFrom(...ZONES),
  reserve: fc.constantFrom(0, 20 * MIB),
});

class Model {
  now = 1;
  readonly disks: readonly Disk[];
  readonly #ledger: Ledger;
  /** Promised, and neither arrived nor released. */
  readonly #underWay: { readonly disk: Disk; readonly bytes: number }[] = [];
  readonly #failed = new Set<Disk>();
  #shards = 0;

  static async open(specs: readonly { free: number; zone: string; reserve: number }[]): Promise<Model> {
    const disks = specs.map((spec, i) => new Disk(`p${i}`, spec));
    let model: Model | undefined;
    const ledger = await Ledger.open({
      peers: new Map(disks.map((it) => [it.name, it as unknown as Peer])),
      replication: { min: 1, max: 1 },
      allocateBy: ['tag:zone', 'freespace'],
      emit: () => {},
      now: () => model?.now ?? 1,
    });
    model = new Model(disks, ledger);
    return model;
  }

  private constructor(disks: readonly Disk[], ledger: Ledger) {
    this.disks = disks;
    this.#ledger = ledger;
  }

  async apply(it: Step): Promise<void> {
    this.now += 1_000;
    if (it.kind === 'allocate') return this.#allocate(it);
    if (it.kind === 'refresh') return await this.#ledger.refresh();
    if ('disk' in it) {
      const its = this.disks[it.disk % this.disks.length];
      assert.ok(its);
      if (it.kind === 'looks') its.look(this.now);
      else its.isSilent = it.kind === 'silent';
      return;
    }
    const [promise] = this.#underWay.splice(it.which % Math.max(1, this.#underWay.length), 1);
    if (promise === undefined) return;
    const { disk: its, bytes } = promise;
    if (it.kind === 'arrived') {
      its.free -= bytes;
      await this.#ledger.arrived(its.name, bytes);
    } else {
      this.#ledger.release(its.name, bytes);
      if (it.kind !== 'failed') return;
      this.#ledger.exclude(its.name);
      this.#failed.add(its);
    }
  }

  #allocate({ mib, min, more, holders }: Step & { kind: 'allocate' }): void {
    const bytes = mib * MIB;
    const holding = this.disks.slice(0, holders);
    const most = min + more;
    // Of the disks that are heard, those with room: no less than the ledger may think there is, which knows of what arrived only when they
    // looked again.
    const silent = this.#ledger.silent();
    const heard = this.disks.filter((its) => !silent.has(its.name) && !this.#failed.has(its) && !holding.includes(its));
    const able = heard.filter((its) => this.#room(its) >= bytes);
    let names: string[];
    try {
      const replication = { min, max: most };
      names = this.#ledger.allocate({ cid: `cid${this.#shards++}`, bytes, replication, holders: holding.map(({ name }) => name) });
    } catch (error) {
      assert.ok(error instanceof ShardctlError && ['TOO_FEW_PEERS', 'NO_SPACE'].includes(error.code));
      assert.ok(able.length < min, `${able.length} disks have room, ${min} are needed`);
      return;
    }
    const chosen = names.flatMap((name) => this.disks.filter((its) => its.name === name));
    assert.equal(new Set(names).size, names.length);
    assert.equal(names.length, Math.min(most, able.length));
    assert.ok(names.length >= min);
    for (const its of chosen) assert.ok(able.includes(its), `${its.name} is promised more than it has`);
    const zonesOf = (disks: readonly Disk[]) => new Set(disks.map(({ tags }) => tags.zone));
    const before = zonesOf(holding);
    const fresh = [...zonesOf(able)].filter((zone) => !before.has(zone)).length;
    assert.equal(zonesOf([...holding, ...chosen]).size, before.size + Math.min(names.length, fresh));
    for (const its of chosen) this.#underWay.push({ disk: its, bytes });
  }

  /** What can still be promised: free now, less everything that is on its way, less what stays free. */
  #room(its: Disk): number {
    const promised = this.#underWay.reduce((sum, { disk: to, bytes }) => (to === its ? sum + bytes : sum), 0);
    return its.free - promised - Math.max(RESERVE_BYTES, its.reserve);
  }
}

test('no disk is ever promised more than is free on it, shards get their replicas if there is room, and zones are spread over', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(disk, { minLength: 1, maxLength: 6 }), fc.array(step, { maxLength: 60 }), async (specs, steps) => {
      const model = await Model.open(specs);
      for (const it of steps) await model.apply(it);
    }),
    { numRuns: 300, includeErrorInReport: true },
  );
});
