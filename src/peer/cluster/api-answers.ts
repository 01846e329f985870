/** What the REST API of IPFS Cluster 1.x answers, as far as it is used here. */
import { z } from 'zod';

/** Go writes an empty list or map as null. */
const texts = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const metadata = z
  .record(z.string(), z.string())
  .nullish()
  .transform((map) => map ?? {});

/** A line of `/peers`: what a member says when it is asked. One that cannot be asked has an error, one whose Kubo does not answer has that. */
export const identity = z.object({
  id: z.string(),
  error: z.string().default(''),
  ipfs: z.object({ error: z.string().default('') }).default({ error: '' }),
});

/** What a member says of itself with each ping: its name, and the ID of its Kubo as it last was. */
export const ping = z.object({ peer_name: z.string().default(''), ipfs_id: z.string().default('') });

/** `/health/graph`: whether the member that is asked takes changes to the pins from the others. */
export const graph = z.object({ cluster_trust_links: z.record(z.string(), z.boolean()) });

/**
 * `/monitor/metrics/{name}` gives the newest metric of each member, without those that are not valid any more. Times are
 * nanoseconds since 1970, which a number holds to a quarter of a microsecond.
 */
export const metrics = z
  .array(z.object({ peer: z.string(), value: z.string(), valid: z.boolean(), received_at: z.number() }))
  .nullish()
  .transform((list) => list ?? []);

export const metricNames = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);

export const alerts = z
  .array(z.object({ name: z.string(), peer: z.string() }))
  .nullish()
  .transform((list) => list ?? []);

/** What the Cluster wants: a line of `/allocations`. No allocations and replication -1 is every member. */
export const pin = z.object({
  cid: z.string(),
  name: z.string(),
  mode: z.string(),
  allocations: texts,
  metadata,
  replication_factor_min: z.int(),
});

/** What the members say: a line of `/pins`. */
export const globalStatus = z.object({
  cid: z.string(),
  metadata,
  peer_map: z
    .record(z.string(), z.object({ status: z.string(), error: z.string().default('') }))
    .nullish()
    .transform((map) => map ?? {}),
});

export const added = z.object({ cid: z.string(), allocations: texts });

/** A member as it names itself. */
export interface Member {
  readonly id: string;
  readonly peername: string;
  /** Peer ID of its Kubo, as it last answered; empty when it never did. */
  readonly kuboId: string;
}

export type Identity = z.output<typeof identity>;
export type ClusterMetric = z.output<typeof metrics>[number];
export type Pin = z.output<typeof pin>;
export type GlobalStatus = z.output<typeof globalStatus>;

/** Who is to have the shard of this pin, as far as the Cluster is concerned. */
export function holdersOf(pin: Pin | undefined): readonly string[] | 'everywhere' {
  if (pin === undefined) return [];
  return pin.replication_factor_min < 0 ? 'everywhere' : pin.allocations;
}
