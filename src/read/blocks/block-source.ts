/** Reads blocks by digest. Tries one replica after another, so that a block can be read as long as one intact replica of it answers. */

import { isShortage, ShardctlError } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import { blockText } from '../../dag/cid.ts';
import { type Peer, type ShardContents, troubleOf } from '../../peer/peer.ts';
import { OpenReaders } from './open-readers.ts';

/** Where a block is: the CID of its shard, and the peers that should hold this shard. */
export interface BlockPlace {
  readonly cid: string;
  readonly peers: readonly string[];
}

/** A block that no shard here lists. */
export class UnlistedBlock extends ShardctlError {
  constructor(digest: Uint8Array) {
    super('DAMAGE', `block ${blockText(digest)} is in no shard of this home`, {
      hint: '`shardctl repair` lists again what the shards hold; what none of them holds comes back with `shardctl add` of the source',
    });
  }
}

/** A block that no replica of its shard gives intact. */
export class UnreadableBlock extends ShardctlError {
  /** CID of the first shard that was asked. */
  readonly shard: string;
  /** All peers that hold it give no bytes, as they are set up: trying again is of no use until that is different. */
  readonly isOutOfReach: boolean;
  /** Peers that should hold it and could not be read, by their names: it may be there. */
  readonly unasked: readonly string[];

  constructor(shard: string, unasked: readonly string[], ...[code, message, options]: ConstructorParameters<typeof ShardctlError>) {
    super(code, message, options);
    this.shard = shard;
    this.unasked = unasked;
    const { cause } = this;
    this.isOutOfReach = cause instanceof ShardctlError && cause.code === 'NOT_READABLE';
  }
}

export interface Blocks {
  /** The block, hashed. Throws `UnlistedBlock` when no shard here has it, `DAMAGE` or `TOO_FEW_PEERS` when no peer gives it intact. */
  read(digest: Uint8Array): Promise<Uint8Array>;
  /** The same for who needs few blocks of a shard, or the others in another way: what is beside the block is not read with it. Absent where it never is. */
  readAlone?(digest: Uint8Array): Promise<Uint8Array>;
}

export interface BlockSourceOptions {
  /** Finds a shard with the block, none of those in `except`. A block that was damaged and stored again is in two shards. */
  readonly locate: (digest: Uint8Array, except: ReadonlySet<string>) => BlockPlace | undefined;
  readonly peers: ReadonlyMap<string, Peer>;
  /** Called once for each peer and message when a replica of several cannot be read, and whenever a damaged one is salvaged. */
  readonly onTrouble?: (message: string, cause: string, peer: string) => void;
  /** Ends the reading. Every walk over a tree reads its blocks here, so a long walk hears an abort even if it does not look at the signal itself. */
  readonly signal?: AbortSignal;
}

const NONE: ReadonlySet<string> = new Set();

/** After so many reads in a row without an answer a peer is not asked again: each costs a whole time-out, and there may be a million blocks. */
const MOST_SILENCES = 3;

export class BlockSource implements Blocks {
  readonly #options: BlockSourceOptions;
  readonly #readers: OpenReaders;
  /** The error of each replica that could not be opened: it is not tried again for each of its blocks. */
  readonly #failed = new Map<string, ShardctlError>();
  /** By peer: how often in a row it did not answer, and the error of the last time. */
  readonly #silences = new Map<string, { readonly times: number; readonly error: ShardctlError }>();
  readonly #reported = new Set<string>();
  readonly #turns: Turns;

  constructor(options: BlockSourceOptions) {
    this.#options = options;
    this.#turns = new Turns(options.signal);
    this.#readers = new OpenReaders({
      peers: options.peers,
      onTrouble: options.onTrouble,
      onFailure: (peer, cid, error) => this.#failed.set(`${peer} ${cid}`, error),
    });
  }

  /** @param except CIDs of shards from which the block must not be read */
  async read(digest: Uint8Array, except: ReadonlySet<string> = NONE): Promise<Uint8Array> {
    await this.#turns.give();
    let place = this.#options.locate(digest, except);
    if (place === undefined) throw new UnlistedBlock(digest);
    const first = place;
    const tried = new Set(except);
    const failures: { peer: string; error: ShardctlError }[] = [];
    for (; place !== undefined && !tried.has(place.cid); place = this.#options.locate(digest, tried)) {
      tried.add(place.cid);
      for (const peer of place.peers) {
        try {
          return await this.#readFrom(peer, place.cid, digest);
        } catch (error) {
          if (!(error instanceof ShardctlError)) throw error;
          failures.push({ peer, error });
          this.#report(peer, place, error);
        }
      }
    }
    throw unreadable(digest, first, failures);
  }

  async readAlone(digest: Uint8Array): Promise<Uint8Array> {
    const place = this.#options.locate(digest, NONE);
    for (const name of place?.peers ?? []) {
      if (this.#silenceOf(name) !== undefined) continue;
      try {
        const block = await this.#options.peers.get(name)?.block?.(digest);
        if (block !== undefined) return block;
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
      }
    }
    // From a local peer; or there is something wrong, which shows here.
    return await this.read(digest);
  }

  /** What the shard holds, by the first of its copies that can be opened. @throws ShardctlError of the last copy, when none can be */
  async contents({ cid, peers }: BlockPlace): Promise<ShardContents> {
    let failure = new ShardctlError('TOO_FEW_PEERS', `no peer that is set up holds shard ${cid}`);
    for (const peer of peers) {
      try {
        const known = this.#failed.get(`${peer} ${cid}`) ?? this.#silenceOf(peer);
        if (known !== undefined) throw known;
        return await this.#readers.use(peer, cid, async (reader) => reader.contents());
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async close(): Promise<void> {
    await this.#readers.close();
  }

  async #readFrom(peer: string, cid: string, digest: Uint8Array): Promise<Uint8Array> {
    const failure = this.#failed.get(`${peer} ${cid}`) ?? this.#silenceOf(peer);
    if (failure !== undefined) throw failure;
    try {
      const glanced = this.#readers.has(peer, cid) ? undefined : await this.#options.peers.get(peer)?.glance?.(cid, digest);
      const block = glanced ?? (await this.#readers.use(peer, cid, (reader) => reader.read(digest)));
      this.#silences.delete(peer);
      if (block === undefined) throw new ShardctlError('DAMAGE', `shard ${cid} does not hold block ${blockText(digest)}`);
      return block;
    } catch (error) {
      if (error instanceof ShardctlError && error.code === 'TOO_FEW_PEERS')
        this.#silences.set(peer, { times: (this.#silences.get(peer)?.times ?? 0) + 1, error });
      throw error;
    }
  }

  #silenceOf(peer: string): ShardctlError | undefined {
    const silence = this.#silences.get(peer);
    return silence !== undefined && silence.times >= MOST_SILENCES ? silence.error : undefined;
  }

  #report(peer: string, place: BlockPlace, error: ShardctlError): void {
    const key = `${peer} ${error.message}`;
    if (place.peers.length === 1 || this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#options.onTrouble?.(troubleOf(peer, error), error.message, peer);
  }
}

/** @param failures what each peer said that was asked; where this process has run out of something, that is the error, and says nothing of the block */
export function unreadable(
  digest: Uint8Array,
  place: BlockPlace,
  failures: readonly { readonly peer: string; readonly error: ShardctlError }[],
): ShardctlError {
  const shortage = failures.find(({ error }) => isShortage(error));
  if (shortage !== undefined) return shortage.error;
  const unasked = failures.filter(({ error }) => error.code === 'TOO_FEW_PEERS' || error.code === 'NOT_READABLE').map(({ peer }) => peer);
  const unreachable = unasked.length === failures.length;
  const reasons = failures.map(({ peer, error }) => `${peer}: ${error.message}`).join('; ') || 'no peer holds it';
  return new UnreadableBlock(
    place.cid,
    unasked,
    unreachable ? 'TOO_FEW_PEERS' : 'DAMAGE',
    `block ${blockText(digest)} of shard ${place.cid} cannot be read: ${reasons}`,
    {
      hint: unreachable
        ? (failures.find(({ error }) => error.code === 'NOT_READABLE')?.error.hint ??
          'bring one of these peers back, then run the same command again')
        : '`shardctl verify --read-data` lists all damage',
      // A peer that does not answer may be back with the next run; one that gives no bytes is as it is set up.
      cause: (failures.find(({ error }) => error.code !== 'NOT_READABLE') ?? failures[0])?.error,
    },
  );
}
