/** What a run of a follower comes to. */

/** What is held after a run, or would be. */
export interface Followed {
  readonly repository: string;
  readonly snapshot: string;
  readonly time: string;
  /** Shards of the snapshot, and how many of them are held. */
  readonly shards: number;
  readonly held: number;
  readonly heldBytes: number;
  readonly limitBytes: number;
  readonly taken: number;
  readonly takenBytes: number;
  readonly dropped: number;
  /** Shards that could not be had. */
  readonly failed: number;
  /** Holders of the shard that has fewest, this follower counted; null where nobody could be asked. */
  readonly rarest: number | null;
  /** Bytes over the limit that stay, because too few others hold them. */
  readonly overBytes: number;
  /** Bytes of the smallest shard of the snapshot, as it is stored; 0 where there is none. */
  readonly smallestBytes: number;
}
