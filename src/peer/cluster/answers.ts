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

/** A line of `/peers`. A member that cannot be asked has an error, and no name. */
export const member = z.object({
  id: z.string(),
  peername: z.string(),
  /** Its Kubo; the ID is empty when that does not answer. */
  ipfs: z.object({ id: z.string() }).default({ id: '' }),
});

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

export type Member = z.output<typeof member>;
export type ClusterMetric = z.output<typeof metrics>[number];
export type Pin = z.output<typeof pin>;
export type GlobalStatus = z.output<typeof globalStatus>;
