/** The catalogue: the small shard of a snapshot's own blocks, which goes to every peer. */
import { rmSync } from 'node:fs';
import type { Ledger } from './allocate/ledger.ts';
import { ShardctlError } from './errors.ts';
import type { IngestRun } from './ingest.ts';
import type { PlacedShard } from './model.ts';
import { OpenShard } from './pack/open-shard.ts';
import { SectionCursor } from './shard/car.ts';
import { RunBuilder } from './shard/run.ts';

export interface Catalogue {
  readonly run: IngestRun;
  readonly ledger: Ledger;
  readonly label: string;
  /** In their fixed order, none twice. */
  readonly blocks: readonly Buffer[];
}

/** Seals the catalogue and puts it on every peer that can be used; as many as a shard needs must take it. */
export async function placeCatalogue({ run, ledger, label, blocks }: Catalogue): Promise<PlacedShard> {
  const { replication, peers, signal } = run;
  const { carPath, ...shard } = await seal(run, blocks);
  const sealed = { ...shard, label, carPath };
  let failure: ShardctlError | undefined;
  const holders: string[] = [];
  for (const name of ledger.freeBytes().keys()) {
    try {
      await peers.get(name)?.put(sealed, { mayConsume: false, signal });
      holders.push(name);
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      failure = error;
      run.emit({ type: 'warning', message: `peer ${name} has no copy of the catalogue: ${error.message}` });
    }
  }
  rmSync(carPath, { force: true });
  const least = Math.max(1, replication.min < 0 ? peers.size : replication.min);
  if (holders.length >= least) return { ...shard, peers: holders };
  throw failure ?? new ShardctlError('TOO_FEW_PEERS', `only ${holders.length} of ${least} peers took the catalogue`);
}

async function seal({ spool, index }: IngestRun, blocks: readonly Buffer[]) {
  const run = new RunBuilder();
  for (const block of blocks) run.add(block);
  const sections = run.take();
  const open = new OpenShard(spool, index.nextShardNumber());
  for (const cursor = new SectionCursor(sections); cursor.next(); ) open.note(sections, cursor.digestAt, cursor.end - cursor.dataAt);
  void open.write(sections);
  const { cid, bytes, blocks: count, carPath, carBytes } = await open.seal();
  return { cid, bytes, blocks: count, carPath, carBytes };
}
