/** The seam behind which shards are stored: a local directory, a Kubo daemon, a member of an IPFS Cluster. */
import type { Metric, Owner } from '../core/model.ts';

/** A sealed shard waiting in the spool: one complete CARv1 whose root is the shard's UnixFS file. */
export interface SealedShard {
  /** CID of the shard's UnixFS file, as text. */
  readonly cid: string;
  /** What people see: repository and shard number, at most 255 bytes. */
  readonly label: string;
  /** Bytes of its blocks. */
  readonly bytes: number;
  readonly blocks: number;
  readonly carPath: string;
  readonly carBytes: number;
}

export interface PutOptions {
  /** The peer may move the CAR file instead of copying it: nobody reads it any more. */
  readonly mayConsume: boolean;
  /**
   * Write the shard although it is there with the right size: what is there was found to be damaged. The damaged copy goes
   * only when the good one is complete.
   */
  readonly replace?: boolean;
  /** Names of all peers that are given this shard, this one among them: one upload serves those of an IPFS Cluster. */
  readonly allocation?: readonly string[];
  /** Called before so many bytes leave for the peer; resolves when they may. Absent when there is no limit. */
  readonly throttle?: Throttle | undefined;
  readonly signal: AbortSignal;
}

/** A home that has marked shards on a peer. Where it is may not be known. */
export interface PeerOwner extends Partial<Omit<Owner, 'id'>>, Pick<Owner, 'id'> {
  /** When it was last heard of there, RFC 3339. */
  readonly seen?: string;
}

/** A home counts on this shard. */
export interface Mark {
  readonly cid: string;
  /** ID of the home. */
  readonly owner: string;
}

/** @param bytes about to be sent */
export type Throttle = (bytes: number) => Promise<void>;

export interface Peer {
  readonly name: string;
  readonly kind: 'local' | 'kubo' | 'cluster';
  /** Failure domains and such, for the `tag:<name>` allocator. */
  readonly tags: Readonly<Record<string, string>>;
  /** Bytes that are to stay free here. */
  readonly reserve?: number;
  /** Its part of the shards, for the `weight` allocator; 1 when absent. */
  readonly weight?: number;
  /** Nothing new goes here: what it holds is being moved away. */
  readonly drained?: boolean;

  /** What the peer can take now. Throws `ShardctlError` when it cannot be reached. */
  metric(): Promise<Metric>;

  /**
   * Marks the shard as this home's own, stores every block of it and pins it. Resolves only when both are durable and the pin was seen to hold
   * (invariants I3 and I4 of docs/architecture.md). Putting a shard that is already there is a cheap success.
   */
  put(shard: SealedShard, options: PutOptions): Promise<void>;

  /** Whether the shard is pinned here: the peer's own word, cheap, no evidence that each block is intact. */
  has(cid: string): Promise<boolean>;

  /**
   * Opens a shard for reading. Throws `NOT_FOUND` when it is not here, `DAMAGE` when its CAR cannot be read, `NOT_READABLE` when
   * it is said to be here and there is no way to its bytes.
   */
  open(cid: string): Promise<ShardReader>;

  /**
   * Opens what may be left of a shard that cannot be opened: its pin is gone, and its blocks stay until the next garbage collection;
   * or its manifest is damaged, and then `contents` throws. Throws as `open` does. Absent where nothing is left then.
   */
  salvage?(cid: string): Promise<ShardReader>;

  /**
   * Has the peer get a shard from fellows that have it, and resolves when it is pinned here: no byte of it passes by us. Slower than a
   * put, and the peer's own word. Absent on peers that know nothing of one another.
   */
  fetch?(shard: Pick<SealedShard, 'cid' | 'label' | 'carBytes'>, signal: AbortSignal): Promise<void>;

  /** What a peer that keeps several copies of each shard lacks of this one, though it can be read. Absent where there is one copy. */
  shortfall?(cid: string): Promise<string | undefined>;

  /**
   * Asked of a peer that does not answer, when others were given the shard: whether it will still have it when it is back. Absent where
   * nobody but the peer itself takes anything from it.
   */
  keeps?(cid: string): Promise<boolean>;

  /** CIDs of all shards that are pinned here. */
  list(): AsyncIterable<string>;

  /**
   * Marks shards as this home's own, durably. Whoever counts on a shard that he has not put marks it first, and then looks whether it is
   * there: what was there before may just be going.
   */
  mark(cids: readonly string[]): Promise<void>;

  /**
   * Takes this home's mark from the shard. When no other home has marked it, it is unpinned, and its space freed where that is the peer's
   * own business. Removing what is not there is a success.
   * @param owner in whose place this is done: a home that is said to be dead
   * @returns whether the peer keeps the shard, because other homes count on it
   */
  remove(cid: string, owner?: string): Promise<'removed' | 'kept'>;

  /** The homes that have marked shards here, this one among them. */
  owners(): Promise<readonly PeerOwner[]>;

  /** All marks of all homes. */
  marks(): AsyncIterable<Mark>;

  /**
   * Pins single blocks of shards that are here by themselves, and nothing below them: who knows only a tree's root then finds
   * this peer. Replaces the CIDs that were pinned for `repository` before. Absent on a peer that nobody finds that way.
   */
  pinRoots?(repository: string, cids: readonly string[]): Promise<void>;

  /** Unpins the roots that are pinned for any other repository of this home: one that was removed, or has another name now. */
  keepRoots?(repositories: ReadonlySet<string>): Promise<void>;

  /** Has the space of what was removed collected now. Absent where `remove` frees it. */
  reclaim?(): Promise<void>;

  /** What about the peer's own settings keeps it from serving what it holds, one line each. Absent where there is nothing to set. */
  warnings?(): Promise<readonly string[]>;

  /**
   * Where what tells the peer from another is damaged, and it is evidently this one, writes that again. @param isDryRun only take it for
   * what it will be @returns what was wrong. Absent where that is somebody else's to keep.
   */
  mendIdentity?(isDryRun: boolean): Promise<string | undefined>;

  /** Lets go of connections. */
  close?(): Promise<void>;
}

/** The peer of this name, for names that come from a list of these very peers. */
export function peerNamed(peers: ReadonlyMap<string, Peer>, name: string): Peer {
  const peer = peers.get(name);
  if (peer === undefined) throw new Error(`there is no peer ${name}`);
  return peer;
}

/** One block as read back from a peer. */
export interface ReadBlock {
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
}

/** What a shard holds by its manifest, whose hashes were checked; the blocks themselves were not read. */
export interface ShardContents {
  /** 32 bytes a block, in shard order. A view. */
  readonly digests: Buffer;
  /** Bytes of each block, in shard order. */
  readonly lengths: readonly number[];
  /** Bytes of all blocks. */
  readonly bytes: number;
  /** Bytes of its blocks and its manifest. */
  readonly dagSize: number;
  /** Size of its CAR. */
  readonly carBytes: number;
}

export interface ShardReader {
  /** What is read may come from another peer: it is right, and no evidence that this peer has it. */
  readonly isSecondHand?: boolean;
  /** What is damaged although every block may be there and be read: the manifest was made again from the blocks, or the like. */
  readonly damage?: string | undefined;
  /** Blocks in the shard, manifest not counted. */
  readonly blocks: number;
  contents(): ShardContents;
  /** A block by its digest, hashed again on the way; undefined when it is not in this shard. Throws `DAMAGE` when the bytes do not hash to it. */
  read(digest: Uint8Array): Promise<Uint8Array | undefined>;
  /** Every block in shard order, each hashed. What does not hash, or is missing against the manifest, goes to `onDamage` and is skipped. */
  scan(onDamage: (detail: string) => void): AsyncIterable<ReadBlock>;
  close(): Promise<void>;
}
