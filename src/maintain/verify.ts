/** `verify`: checks that the peers hold what the snapshots name. It does not stop at the first finding; each one is an event. */
import { setImmediate } from 'node:timers/promises';
import type { Emit } from '../core/events.ts';
import { DIGEST_BYTES, type PlacedShard, type ShardRecord } from '../core/model.ts';
import type { Peer, ShardContents } from '../peer/peer.ts';
import { checkReplica, silencesOf } from '../storing/copy/check-replica.ts';

/** A shard to look at, and its name in messages. */
export interface ExpectedShard extends PlacedShard {
  readonly label: string;
  /** Absent on a catalogue, whose blocks the index does not list. */
  readonly number?: number;
  /** What `repair` has found lost of it: see ShardRecord. */
  readonly state?: ShardRecord['state'];
  readonly bad?: readonly string[];
  /** Fewest replicas that it must have. */
  readonly least?: number;
}

export interface VerifyOptions {
  /** The shards of the snapshots and their catalogues, each once. Gone through twice, first to count them. */
  readonly shards: Iterable<ExpectedShard>;
  readonly peers: ReadonlyMap<string, Peer>;
  /** What is wrong with files of the block table. */
  readonly damagedSegments?: readonly { readonly problem: string }[];
  /** Whether the index lists a block of a shard, by the digest at `at`; not asked while files of the block table are damaged. */
  readonly lists?: (shard: number, digests: Uint8Array, at: number) => boolean;
  /** Shards of which every block is read and hashed, on each peer; of the others each replica is opened, which checks its size and its manifest. */
  readonly readData: ReadonlySet<string> | boolean;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface Verified {
  readonly shards: number;
  /** How many blocks were looked at on all peers together, and with `readData` how many bytes were read. */
  readonly blocks: number;
  readonly bytes: number;
  /** What was read and is wrong, or is not where it should be. */
  readonly damaged: number;
  /** Shards and catalogues with fewer replicas, by the records, than are asked for: nothing of them is damaged. */
  readonly tooFew: number;
  /** How many peers do not answer: what these hold counts neither as damaged nor as lost. */
  readonly away: number;
}

export async function verify(options: VerifyOptions): Promise<Verified> {
  const { shards, peers, damagedSegments = [], lists, readData, emit, signal } = options;
  const counts = { shards: 0, blocks: 0, bytes: 0, damaged: 0, tooFew: 0, away: 0 };
  const found = (what: string, where: string, detail: string) => {
    counts.damaged++;
    emit({ type: 'damage', what, where, detail });
  };
  for (const { problem } of damagedSegments) found('the block table', 'the index', problem);
  const hearsay = new Map<string, string>();
  const held = new Map<string, number>();
  let total = 0;
  for (const shard of shards) {
    total++;
    for (const name of shard.peers) held.set(name, (held.get(name) ?? 0) + 1);
  }
  const silent = new Set<string>();
  /** A peer that does not answer, or is set up no more, is told of once, however many shards it holds. */
  const isSilent = (name: string, why: string) => {
    silent.add(name);
    if (!peers.has(name)) return found(`${held.get(name)} shards`, name, why);
    counts.away++;
    emit({ type: 'no-answer', peer: name, shards: held.get(name) ?? 0, detail: why });
  };
  const asked = [...held.keys()].flatMap((name) => peers.get(name) ?? []);
  const silences = await silencesOf(asked);
  for (const name of held.keys()) {
    const why = peers.has(name) ? silences.get(name) : `peer "${name}" is not configured any more`;
    if (why !== undefined) isSilent(name, why);
  }

  for (const shard of shards) {
    const what = `${shard.label} ${shard.cid}`;
    const { least = 0 } = shard;
    if (shard.peers.length < least) {
      counts.tooFew++;
      const message = `${what} has ${shard.peers.length} of ${least} replicas (${shard.peers.join(', ')})`;
      emit({ type: 'warning', message, cause: 'too few replicas', hint: '`shardctl repair` makes those that lack' });
    }
    let unlisted: number | undefined;
    let isProven = false;
    for (const name of shard.peers) {
      const peer = peers.get(name);
      if (peer === undefined || silent.has(name)) continue;
      signal.throwIfAborted();
      // Local reads never wait for the event loop: without this, Ctrl-C would not be heard.
      await setImmediate();
      const before = counts.damaged;
      const { contents, isRead } = await verifyReplica(shard, peer, (detail) => found(what, name, detail));
      isProven ||= isRead && counts.damaged === before;
      if (contents !== undefined) unlisted ??= unlistedBlocks(shard, contents);
    }
    const loss = lossOf(shard);
    if (loss !== undefined && !isProven) found(what, 'the index', loss);
    if (unlisted !== undefined && unlisted > 0)
      found(what, 'the index', `${unlisted} of its blocks are not listed: what is damaged is the index, and not they: \`shardctl repair\``);
    counts.shards++;
    emit({ type: 'progress', label: 'verify', done: counts.shards, total, bytes: counts.bytes });
  }
  for (const [name, why] of hearsay) emit({ type: 'warning', peer: name, message: `peer ${name} was taken at its word: ${why}` });
  return counts;

  async function verifyReplica(
    shard: ExpectedShard,
    peer: Peer,
    onDamage: (detail: string) => void,
  ): Promise<{ readonly contents: ShardContents | undefined; readonly isRead: boolean }> {
    const isRead = typeof readData === 'boolean' ? readData : readData.has(shard.cid);
    const checked = await checkReplica(shard, peer, { readData: isRead, onDamage, signal });
    if (checked.silence !== undefined) isSilent(peer.name, checked.silence);
    if (checked.hearsay !== undefined) hearsay.set(peer.name, checked.hearsay);
    counts.blocks += checked.blocks;
    counts.bytes += checked.bytes;
    return { contents: checked.contents, isRead: isRead && checked.hearsay === undefined };
  }

  function unlistedBlocks({ number }: ExpectedShard, { digests }: ShardContents): number | undefined {
    if (number === undefined || lists === undefined || damagedSegments.length > 0) return undefined;
    let count = 0;
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) if (!lists(number, digests, at)) count++;
    return count;
  }
}

/** Reports what was lost when the shard was last read. Only reading it whole again can refute that, and only `repair` removes the note. */
function lossOf({ state, bad }: ExpectedShard): string | undefined {
  if (state === 'lost') return 'most of it, or the list of what it held, was lost when it was last read: `shardctl repair`';
  return bad === undefined ? undefined : `${bad.length} of its blocks were lost when it was last read: \`shardctl repair\``;
}
