/** Followers with the real chooser in a network that is made up: each sees the holders as they were before the step, as followers do who act at the same time. */
import { choose, type HeldShard } from '../follow/choice.ts';

export interface SimulatedNetwork {
  run(steps: number): void;
  /** So many followers are never seen again. */
  die(count: number): void;
  /** Holders of the rarest shard, and of a shard in the mean. */
  replication(): { readonly rarest: number; readonly mean: number };
  /** Shards that somebody holds. */
  heldShards(): ReadonlySet<string>;
  readonly shardCount: number;
  /** Exchanges so far. */
  readonly movedShards: number;
}

export interface NetworkShape {
  readonly seed: number;
  readonly followers: number;
  readonly shards: number;
  readonly arrival: 'all at once' | 'one after the other';
}

/** Part of what a follower wants that it takes before it looks again. */
const BATCH = 0.25;

interface Follower {
  readonly id: string;
  readonly limit: number;
  readonly arrives: number;
  held: HeldShard[];
  round: number;
}

/** Each has room for 1 to 30 % of the shards, which have between 1 and 128 units. */
export function simulatedFollowers({ seed, followers: count, shards: shardCount, arrival }: NetworkShape): SimulatedNetwork {
  const random = randomFrom(seed);
  const shards = Array.from({ length: shardCount }, (_, at) => ({ cid: `shard ${seed} ${at}`, bytes: 1 + Math.floor(random() * 128) }));
  const total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  let followers: Follower[] = Array.from({ length: count }, (_, at) => ({
    id: `follower ${seed} ${at}`,
    limit: total * (0.01 + 0.29 * random()),
    arrives: arrival === 'all at once' ? 0 : Math.floor((at / count) * 20),
    held: [],
    round: 0,
  }));
  let step = 0;
  let movedShards = 0;

  const holders = () => {
    const counts = new Map(shards.map(({ cid }) => [cid, 0]));
    for (const { held } of followers) for (const { cid } of held) counts.set(cid, (counts.get(cid) ?? 0) + 1);
    return counts;
  };
  const act = (follower: Follower, counts: ReadonlyMap<string, number>, crowd: number) => {
    const held = new Set(follower.held.map(({ cid }) => cid));
    const seen = shards.map((shard) => ({ ...shard, holders: (counts.get(shard.cid) ?? 0) - (held.has(shard.cid) ? 1 : 0) }));
    const { take, exchanges } = choose({
      follower: follower.id,
      round: follower.round++,
      limit: follower.limit,
      crowd,
      shards: seen,
      held: follower.held,
    });
    const batch = take.slice(0, Math.max(1, Math.ceil(take.length * BATCH)));
    const takes = batch.length > 0 ? batch : exchanges.map((exchange) => exchange.take);
    const drops = new Set(batch.length > 0 ? [] : exchanges.flatMap(({ drop }) => drop));
    movedShards += batch.length > 0 ? 0 : exchanges.length;
    follower.held = [
      ...follower.held.filter((shard) => !drops.has(shard)),
      ...takes.map(({ cid, bytes, holders: found = 0 }) => ({ cid, bytes, found })),
    ];
  };

  return {
    shardCount,
    get movedShards() {
      return movedShards;
    },
    run(steps) {
      for (const end = step + steps; step < end; step++) {
        const counts = holders();
        const crowd = followers.filter(({ held }) => held.length > 0).length;
        for (const follower of followers) if (follower.arrives <= step) act(follower, counts, crowd);
      }
    },
    die(dead) {
      followers = followers
        .map((follower) => ({ follower, lot: random() }))
        .sort((a, b) => a.lot - b.lot)
        .slice(dead)
        .map(({ follower }) => follower);
    },
    replication() {
      const counts = [...holders().values()];
      return { rarest: Math.min(...counts), mean: counts.reduce((sum, it) => sum + it, 0) / counts.length };
    },
    heldShards: () => new Set(followers.flatMap(({ held }) => held.map(({ cid }) => cid))),
  };
}

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
