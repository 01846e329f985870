/**
 * `recover`: a lost home made anew from what its peers hold, starting from nothing but a snapshot's CID. Reads manifests and
 * the snapshot's own blocks, no file data. Everything it reads may come from a stranger: hashes, sizes, names and counts are
 * checked where they are read.
 */
import { cidText, parseCid } from './dag/cid.ts';
import { profileNamed } from './dag/profile.ts';
import { ShardctlError } from './errors.ts';
import type { Emit } from './events.ts';
import { writeHead } from './home/heads.ts';
import type { Index } from './index-store/index.ts';
import { type BlockId, type ByteString, DIGEST_BYTES, type PlacedShard } from './model.ts';
import type { Peer, ShardContents, ShardReader } from './peer/peer.ts';
import { pinHeads } from './pin-heads.ts';
import { type ReadSnapshot, readSnapshot } from './snapshot/catalogue.ts';
import type { ShardLink } from './snapshot/snapshot.ts';

export interface RecoverRun {
  /** CID of the snapshot directory. */
  readonly snapshot: string;
  /** Name of the repository, if not the one that the snapshot says. */
  readonly name: string | undefined;
  /** Where the repository is to be updated from; empty when nobody knows any more. */
  readonly source: ByteString;
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly heads: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface Recovered {
  readonly repository: string;
  readonly number: number;
  readonly tree: string;
  readonly shards: number;
  readonly blocks: number;
  /** Bytes of the blocks of all shards. */
  readonly bytes: number;
  /** Shards that none of the peers holds: files are missing, and `verify` names the shards until they are there again. */
  readonly missing: readonly { readonly number: number; readonly cid: string }[];
}

/** @throws ShardctlError `NOT_FOUND` when no peer has the snapshot, `USAGE` when the home has something else of these names */
export async function recover(run: RecoverRun): Promise<Recovered> {
  const { index, emit, signal } = run;
  const root = parseCid(run.snapshot);
  const { read, catalogue } = await findSnapshot(run, root);
  const repository = run.name ?? read.file.repository;
  if (index.repository(repository) !== undefined) {
    throw new ShardctlError('USAGE', `there is a repository ${repository} in this home already`, {
      hint: 'recover into another home with --home, or under another name with --name',
    });
  }
  for (const { number, cid } of read.shards) {
    const known = index.shard(number);
    if (known !== undefined && known.cid !== cid) {
      throw new ShardctlError('USAGE', `this home has another shard ${number} already`, { hint: 'recover into a new home with --home' });
    }
  }

  const missing: ShardLink[] = [];
  const counts = { shards: 0, blocks: 0, bytes: 0 };
  for (const link of read.shards) {
    signal.throwIfAborted();
    const contents = await recoverShard(run, link);
    if (contents === undefined) missing.push(link);
    counts.shards++;
    counts.blocks += contents?.lengths.length ?? 0;
    counts.bytes += contents?.bytes ?? 0;
    emit({ type: 'progress', label: 'recover', done: counts.shards, total: read.shards.length, bytes: counts.bytes });
  }
  const { profile, metadata, parent, time, counts: entries, bytes, tool } = read.file;
  const number = 1;
  const tree = cidText(read.tree, profileNamed(profile).cidVersion);
  const shards = read.shards.map((link) => link.number);
  await index.commit(
    { name: repository, source: run.source, head: number, profile, chunker: undefined, metadata, filters: [] },
    { repository, number, cid: read.cid, tree, parent, time, counts: entries, bytes, shards, catalogue, profile, metadata, tool },
  );
  writeHead(run.heads, repository, read.cid);
  await pinHeads(run, repository);
  return { repository, number, tree, ...counts, missing: missing.map(({ number: shard, cid }) => ({ number: shard, cid })) };
}

/** The snapshot's root is the first block of its catalogue, and that is a shard like any other. */
async function findSnapshot(run: RecoverRun, root: BlockId): Promise<{ read: ReadSnapshot; catalogue: PlacedShard }> {
  const seen = new Set<string>();
  for (const peer of run.peers.values()) {
    for await (const cid of peer.list()) {
      run.signal.throwIfAborted();
      if (seen.has(cid)) continue;
      const reader = await openOn(run, peer, cid);
      if (reader === undefined) continue;
      seen.add(cid);
      run.emit({ type: 'progress', label: 'looking for the snapshot', done: seen.size, total: 0, bytes: 0 });
      try {
        const contents = reader.contents();
        if (Buffer.compare(contents.digests.subarray(0, DIGEST_BYTES), root.digest) !== 0) continue;
        const read = await readSnapshot(root, (digest) => reader.read(digest));
        const { bytes, carBytes, lengths } = contents;
        return { read, catalogue: { cid, bytes, carBytes, blocks: lengths.length, peers: await holders(run, cid) } };
      } finally {
        await reader.close();
      }
    }
  }
  throw new ShardctlError('NOT_FOUND', `snapshot ${run.snapshot} is on none of these peers: ${[...run.peers.keys()].join(', ')}`, {
    hint: 'name every peer that the home had with --from; `heads/` of an old home, or a log, has the CID',
  });
}

/** @returns what the shard holds; undefined when no peer has it */
async function recoverShard(run: RecoverRun, { number, cid, dagSize }: ShardLink): Promise<ShardContents | undefined> {
  const peers = await holders(run, cid);
  for (const name of peers) {
    const reader = await openOn(run, run.peers.get(name) as Peer, cid);
    if (reader === undefined) continue;
    try {
      const contents = reader.contents();
      const { digests, lengths, bytes, carBytes } = contents;
      const shard = { number, cid, bytes, blocks: lengths.length, dagSize: contents.dagSize, carBytes, peers, state: 'placed' } as const;
      if (run.index.shard(number)?.state !== 'committed') await run.index.addPlaced(shard, { digests: () => digests });
      return contents;
    } finally {
      await reader.close();
    }
  }
  run.emit({ type: 'damage', what: `shard ${number} ${cid}`, where: 'all peers', detail: 'no peer has a copy that can be opened' });
  await run.index.updateShards([{ number, cid, bytes: 0, blocks: 0, dagSize, carBytes: 0, peers, state: 'lost' }]);
  return undefined;
}

async function holders({ peers }: RecoverRun, cid: string): Promise<string[]> {
  const names: string[] = [];
  for (const [name, peer] of peers) if (await peer.has(cid)) names.push(name);
  return names.sort();
}

/** Undefined when what is there cannot be opened: another peer may have a whole copy. */
async function openOn({ emit }: RecoverRun, peer: Peer, cid: string): Promise<ShardReader | undefined> {
  try {
    return await peer.open(cid);
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    emit({ type: 'warning', message: `peer ${peer.name}: ${error.message}` });
    return undefined;
  }
}
