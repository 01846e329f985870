/** Records snapshots that were found in this home's index: first their shards, which are opened on the peers, then the snapshots. */

import type { ShardRecord, SnapshotRecord } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import { profileNamed } from '../../dag/cid-profile.ts';
import { peerNamed, type ShardContents } from '../../peer/peer.ts';
import type { ShardLink } from '../../snapshot/snapshot.ts';
import type { RecoverRun } from './recover-run.ts';
import { type FoundSnapshot, type Held, holdersIn, openOn } from './survey.ts';

/** What the shards of the snapshots hold together. */
export interface TakenShards {
  readonly shards: number;
  readonly blocks: number;
  /** Bytes of the blocks. */
  readonly bytes: number;
  /** Shards that none of the peers holds: files are missing, and `verify` names the shards until they are there again. */
  readonly missing: readonly { readonly number: number; readonly cid: string }[];
}

/** Records every shard that the snapshots need, each once. Opens each: reads its manifest, no block. */
export async function takeShards(run: RecoverRun, held: Held, snapshots: readonly FoundSnapshot[]): Promise<TakenShards> {
  const links = new Map(snapshots.flatMap(({ read }) => read.shards.map((link) => [link.number, link])));
  const missing: ShardLink[] = [];
  const counts = { shards: 0, blocks: 0, bytes: 0 };
  for (const link of links.values()) {
    run.signal.throwIfAborted();
    const contents = await takeShard(run, held, link);
    if (contents === undefined) missing.push(link);
    counts.shards++;
    counts.blocks += contents?.lengths.length ?? 0;
    counts.bytes += contents?.bytes ?? 0;
    run.emit({ type: 'progress', label: 'recover', done: counts.shards, total: links.size, bytes: counts.bytes });
  }
  return { ...counts, missing: missing.map(({ number, cid }) => ({ number, cid })) };
}

/** @returns what the shard holds; undefined when no peer has it */
async function takeShard(run: RecoverRun, held: Held, { number, cid, dagSize }: ShardLink): Promise<ShardContents | undefined> {
  const { index, emit } = run;
  const peers = holdersIn(held, cid);
  for (const name of peers) {
    const reader = await openOn(run, peerNamed(run.peers, name), cid);
    if (reader === undefined) continue;
    try {
      const contents = reader.contents();
      const { digests, lengths, bytes, carBytes } = contents;
      const shard: ShardRecord = {
        number,
        cid,
        bytes,
        blocks: lengths.length,
        dagSize: contents.dagSize,
        carBytes,
        peers,
        state: 'placed',
      };
      if (index.shard(number)?.state !== 'committed') await index.addPlaced(shard, { digests: () => digests });
      return contents;
    } finally {
      await reader.close();
    }
  }
  emit({ type: 'damage', what: `shard ${number} ${cid}`, where: 'all peers', detail: 'no peer has a copy that can be opened' });
  await index.updateShards([{ number, cid, bytes: 0, blocks: 0, dagSize, carBytes: 0, peers, state: 'lost' }]);
  return undefined;
}

/**
 * The record of a snapshot that was found. @param number that it gets in this home: a snapshot does not say its own
 * @param contradictions for which the gate holds it back: what they are nobody knows any more, and the next run judges its tree anew
 */
export function recordOf(
  { read, catalogue }: FoundSnapshot,
  repository: string,
  number: number,
  contradictions: number | undefined,
): SnapshotRecord {
  const { profile, metadata, parent, time, counts, bytes, tool } = read.file;
  return {
    repository,
    number,
    cid: read.cid,
    tree: treeText(read),
    parent,
    time,
    counts,
    bytes,
    shards: read.shards.map((link) => link.number),
    catalogue,
    profile,
    metadata,
    tool,
    broughtBy: 'recover',
    ...(contradictions === undefined
      ? {}
      : { gate: { outcome: 'held', by: 'recover', kinds: [], count: contradictions, contradictions: [] } }),
  };
}

/** The root of a snapshot's tree, as whoever published it wrote it. */
export function treeText({ tree, file }: FoundSnapshot['read']): string {
  return cidText(tree, profileNamed(file.profile).cidVersion);
}
