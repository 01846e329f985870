/** How runs that write to one home at the same time keep off each other's shards. */

/** Runs `work` when no other run has begun and not ended such a work on the shard of this CID. */
export type InTurn = <T>(cid: string, work: () => Promise<T>) => Promise<T>;
