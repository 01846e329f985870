/** The seam behind which shards are stored: a local directory, a Kubo daemon, a member of an IPFS Cluster. */
import type { DigestMap } from '../core/digest-map.ts';
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

/** What the settings say of a peer of any kind. */
export interface PeerSettings {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly reserve?: number | undefined;
  readonly weight?: number | undefined;
  readonly drained?: boolean | undefined;
}

export interface PutOptions {
  /** The peer may move the CAR file instead of copying it, because nobody else reads it any more. */
  readonly mayConsume: boolean;
  /**
   * The copy on the peer was found to be damaged: write the shard although it is there with the right size. In layout `car` the damaged
   * copy goes only when the good one is complete.
   */
  readonly replace?: boolean;
  /** Names of all peers that are given this shard, this one among them: one upload serves all members of an IPFS Cluster. */
  readonly allocation?: readonly string[];
  /** Called before bytes are sent to the peer; resolves when they may be sent. Absent when there is no limit. */
  readonly throttle?: Throttle | undefined;
  readonly signal: AbortSignal;
}

/** A home that has marked shards on a peer. Its host and path may not be known. */
export interface PeerOwner extends Partial<Omit<Owner, 'id'>>, Pick<Owner, 'id'> {
  /** When the home last wrote its description there, RFC 3339. */
  readonly seen?: string;
}

/** A home's word, kept on the peer, that it counts on this shard. */
export interface Mark {
  readonly cid: string;
  /** ID of the home. */
  readonly owner: string;
}

/** An IPFS node, as other nodes reach it. */
export interface PeerContact {
  /** Its peer ID, `12D3Koo…`. */
  readonly id: string;
  /** Multiaddrs without the peer ID at their end; none when it takes no connections. */
  readonly addresses: readonly string[];
}

/** @param bytes about to be sent */
export type Throttle = (bytes: number) => Promise<void>;

/**
 * How a shard can be read from its first byte to its last without the peer, by any thread: plain data. Nothing that comes that way is hashed.
 * `car` is the shard's CAR. `file` is its UnixFS file, which is its blocks back to back; a part of it is asked for by the header `Range`, or
 * in the query by `offset` and `length`, as Kubo's RPC takes it.
 */
export type ShardBytes =
  | { readonly form: 'car'; readonly path: string }
  | {
      readonly form: 'file';
      readonly url: string;
      readonly method: 'GET' | 'POST';
      readonly headers: Readonly<Record<string, string>>;
      readonly range: 'header' | 'query';
      /** Certificates to trust instead of the system's, PEM. */
      readonly ca?: string | undefined;
    };

export interface Peer {
  readonly name: string;
  readonly kind: 'local' | 'kubo' | 'cluster';
  /** Failure domains and such, for the `tag:<name>` allocator. */
  readonly tags: Readonly<Record<string, string>>;
  /** Bytes that are to stay free here. */
  readonly reserve?: number;
  /** How many shards it gets in proportion to others, for the `weight` allocator; 1 when absent. */
  readonly weight?: number;
  /** Nothing new is put here: its shards are being moved to other peers. */
  readonly drained?: boolean;
  /** False for a peer that gives no bytes as it is set up: what is here cannot be opened (`NOT_READABLE`). */
  readonly givesBytes?: boolean;

  /** What the peer can take now. @throws ShardctlError when it does not answer */
  metric(): Promise<Metric>;

  /**
   * Marks the shard as this home's own, stores every block of it, pins it, and then looks whether the pin holds, in this order. Resolves
   * only when blocks and pin are durable (invariants I3 and I4 of docs/architecture.md). A shard that is on the peer already is read to its
   * end where this process can read it there, and what is wrong is written again.
   */
  put(shard: SealedShard, options: PutOptions): Promise<void>;

  /** Whether the shard is pinned here. This is the peer's own word: cheap, and no evidence that each block is intact. */
  has(cid: string): Promise<boolean>;

  /**
   * Opens a shard for reading.
   * @throws ShardctlError `NOT_FOUND` when it is not here, `DAMAGE` when its manifest cannot be read, `NOT_READABLE` when the peer says
   * that it has the shard and there is no way to read it
   */
  open(cid: string): Promise<ShardReader>;

  /**
   * Opens what may be left of a shard that cannot be opened. Either its pin is gone, and its blocks stay until the next garbage
   * collection; or its manifest is damaged, and then `contents` throws. Throws as `open` does. Absent where nothing would be left.
   */
  salvage?(cid: string): Promise<ShardReader>;

  /**
   * Has the peer get a shard from other peers of its network, and resolves when it is pinned here. No byte passes through this process.
   * Slower than a put, and only the peer's own word. Absent on peers that know nothing of one another.
   */
  fetch?(shard: Pick<SealedShard, 'cid' | 'label' | 'carBytes'>, signal: AbortSignal): Promise<void>;

  /** For a peer that keeps several copies of each shard: what is missing of this one, although it can be read. Absent where there is one copy. */
  shortfall?(cid: string): Promise<string | undefined>;

  /**
   * Asked about a silent peer when its shard was given to others: whether it will still have the shard when it answers again. Absent
   * where nobody but the peer itself removes anything from it.
   */
  keeps?(cid: string): Promise<boolean>;

  /**
   * Where the shard's CAR is, for a peer whose shards are CAR files on this machine: whoever hashes what he reads may read it there by
   * offset. Whether it is there shows when it is opened. Undefined or absent where shards lie in another way.
   * @throws ShardctlError `TOO_FEW_PEERS` when the peer's directory is not there
   */
  carPath?(cid: string): Promise<string | undefined>;

  /**
   * How the shard can be read as one stream, the way that costs least before others. Whether it is there shows when it is opened. None, or
   * absent, where it cannot be.
   * @throws ShardctlError `TOO_FEW_PEERS` when the peer is not there
   */
  shardBytes?(cid: string): Promise<readonly ShardBytes[]>;

  /**
   * One block of any shard that is here, or one node of a manifest, hashed, without opening the shard. Undefined when the peer does not
   * give it by itself. Absent where a shard has to be opened.
   * @throws ShardctlError `DAMAGE` when its bytes have another hash
   */
  block?(digest: Uint8Array): Promise<Uint8Array | undefined>;

  /**
   * One block of a shard, hashed, for less than it takes to open the shard. Undefined where it would not be less: for a small shard, after
   * some blocks of the same one, and where anything is not as it should be, which opening the shard finds out. Throws nothing. Absent where
   * there is no such way.
   */
  glance?(cid: string, digest: Uint8Array): Promise<Uint8Array | undefined>;

  /** CIDs of all shards that are pinned here. */
  list(): AsyncIterable<string>;

  /**
   * Marks shards as this home's own, durably. A home that counts on a shard without having put it marks it first, and looks whether it is
   * there afterwards: in the other order another home could remove the shard in between.
   */
  mark(cids: readonly string[]): Promise<void>;

  /**
   * Takes this home's mark from the shard, and unpins the shard when no other home has marked it. A local peer frees the space at once,
   * a daemon with its next garbage collection. Removing what is not there is a success.
   * @param owner takes away the mark of this home instead, which is said to be dead
   * @returns `kept` when the peer keeps the shard, because other homes count on it
   */
  remove(cid: string, owner?: string): Promise<'removed' | 'kept'>;

  /** The homes that have marked shards here, this one among them. */
  owners(): Promise<readonly PeerOwner[]>;

  /** All marks of all homes. */
  marks(): AsyncIterable<Mark>;

  /**
   * Pins single blocks by themselves, and nothing below them, so that strangers who know only a tree's root find this peer. The blocks
   * are in shards that are here. Replaces the CIDs that were pinned for `repository` before. Absent on a peer that strangers cannot find.
   */
  pinRoots?(repository: string, cids: readonly string[]): Promise<void>;

  /** Unpins the roots that are pinned for any other repository of this home: one that was removed or renamed. */
  keepRoots?(repositories: ReadonlySet<string>): Promise<void>;

  /** Has the peer collect its garbage now. Absent where `remove` frees the space. */
  reclaim?(): Promise<void>;

  /** What in the peer's own settings keeps it from serving what it holds, one line each. Absent where there is nothing to set. */
  warnings?(): Promise<readonly string[]>;

  /**
   * Writes the file that tells the peer from others again, if it is damaged and the rest shows that this is the peer. Absent where no
   * such file is ours to write.
   * @param isDryRun writes nothing, and takes the peer for what it would be then @returns what was wrong
   */
  mendIdentity?(isDryRun: boolean): Promise<string | undefined>;

  /**
   * How IPFS nodes reach those that hold the shards of this peer: itself, or several where a whole Cluster is one peer. Asked of the daemons
   * each time. Absent on a peer that no IPFS node can reach. @throws ShardctlError `TOO_FEW_PEERS` when it does not answer
   */
  contacts?(): Promise<readonly PeerContact[]>;

  /** Closes its connections. */
  close?(): Promise<void>;
}

/** The peer of this name, for names that come from a list of these very peers. */
export function peerNamed(peers: ReadonlyMap<string, Peer>, name: string): Peer {
  const peer = peers.get(name);
  if (peer === undefined) throw new Error(`there is no peer ${name}`);
  return peer;
}

/** What went wrong with a peer, for people. What does not answer says itself which peer it is. */
export function troubleOf(peer: string, { message }: Error): string {
  const name = `peer "${peer}"`;
  return message.startsWith(name) ? message : `${name}: ${message}`;
}

/** One block as read back from a peer. */
export interface ReadBlock {
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
}

/** What a shard holds according to its manifest. The manifest's hashes were checked; the blocks themselves were not read. */
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
  /** From the digest of each block to its position, where whoever read the manifest has made that. */
  readonly positions?: DigestMap;
}

export interface ShardReader {
  /** What is read may come from another peer: its hashes are right, and it is no evidence that this peer has it. */
  readonly isSecondHand?: boolean;
  /** What is damaged although every block may be readable: for example the manifest, which was made again from the blocks. */
  readonly damage?: string | undefined;
  /** Blocks in the shard, manifest not counted. */
  readonly blocks: number;
  contents(): ShardContents;
  /**
   * A block by its digest; its bytes are hashed here. Undefined when the manifest does not list it.
   * @throws ShardctlError `DAMAGE` when it is missing or its bytes have another hash
   */
  read(digest: Uint8Array): Promise<Uint8Array | undefined>;
  /**
   * Every block in shard order, each hashed. One with another hash, or that is missing, is skipped and told to `onDamage`.
   * @throws ShardctlError when not all could be looked at, maybe after the others: what was neither given nor told was not read
   */
  scan(onDamage: (detail: string) => void): AsyncIterable<ReadBlock>;
  close(): Promise<void>;
}
