/** The answers of the REST API of IPFS Cluster 1.x, as far as they are used here. */
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

/** A line of `/peers`: a member's answer. `error` when the member does not answer, `ipfs.error` when its Kubo does not. */
export const identity = z.object({
  id: z.string(),
  error: z.string().default(''),
  ipfs: z
    .object({ error: z.string().default(''), id: z.string().default(''), addresses: texts })
    .default({ error: '', id: '', addresses: [] }),
});

/** What a member says of itself with each ping: its name, and the last known ID of its Kubo. */
export const ping = z.object({ peer_name: z.string().default(''), ipfs_id: z.string().default('') });

/** `/health/graph`: from which other members the member that is asked takes changes to the pins. */
export const graph = z.object({ cluster_trust_links: z.record(z.string(), z.boolean()) });

/**
 * `/monitor/metrics/{name}` gives the newest metric of each member, without those that have expired. Times are nanoseconds since 1970,
 * which a number holds to a quarter of a microsecond.
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

/** What the Cluster wants: a line of `/allocations`. Replication -1, without any allocations, means every member. */
export const pin = z.object({
  cid: z.string(),
  name: z.string(),
  mode: z.string(),
  allocations: texts,
  metadata,
  replication_factor_min: z.int(),
});

/** What the members say of a CID: a line of `/pins`. */
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
  /** The last known peer ID of its Kubo; empty when its Kubo has never answered. */
  readonly kuboId: string;
}

export type Identity = z.output<typeof identity>;
export type ClusterMetric = z.output<typeof metrics>[number];
export type Pin = z.output<typeof pin>;
export type GlobalStatus = z.output<typeof globalStatus>;

/** The members that should have the shard of this pin, according to the Cluster. */
export function holdersOf(pin: Pin | undefined): readonly string[] | 'everywhere' {
  if (pin === undefined) return [];
  return pin.replication_factor_min < 0 ? 'everywhere' : pin.allocations;
}
