/** Puts a snapshot's catalogue, the small shard of the snapshot's own blocks, on every peer. */
import { setMaxListeners } from 'node:events';
import { ShardctlError } from '../core/errors.ts';
import { type Emit, peerWarning } from '../core/events.ts';
import { leastReplicas, type PlacedShard, type Replication } from '../core/model.ts';
import { removeFileSync } from '../core/remove-file.ts';
import { untilAborted } from '../core/waiting.ts';
import type { FullPeers } from '../home/runs/full-peers.ts';
import type { Index } from '../index/index.ts';
import { type Peer, peerNamed } from '../peer/peer.ts';
import { BatchBuilder } from '../shard/batch.ts';
import { SectionCursor } from '../shard/car.ts';
import { OpenShard, type PackedShard } from './pack/open-shard.ts';
import type { TransferLimits } from './place/placer.ts';
import { putWithRetries } from './place/put.ts';

export interface CatalogueRun extends Pick<TransferLimits, 'throttle'> {
  readonly spool: string;
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly replication: Replication;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** By which it is told once that a peer is full. [told each time] */
  readonly fullPeers?: FullPeers | undefined;
}

export interface Catalogue {
  /** What people see of it on a peer. */
  readonly label: string;
  /** In the order that every catalogue has (docs/format.md). */
  readonly blocks: readonly Buffer[];
  /** Each of these is to have a copy: the peers that answer. */
  readonly peerNames: readonly string[];
}

/** When enough peers have taken the catalogue, the others have so long to do it, too: one that hangs does not hold up the commit. */
const PATIENCE_MS = 10_000;

function tooLate(): ShardctlError {
  const why = `it was not done ${PATIENCE_MS / 1000} s after enough others were; \`shardctl repair\` copies the catalogue there later`;
  return new ShardctlError('TOO_FEW_PEERS', why);
}

/** Seals the catalogue and puts it on every peer; as many as a shard needs must take it. @throws ShardctlError */
export async function placeCatalogue(run: CatalogueRun, { label, blocks, peerNames }: Catalogue): Promise<PlacedShard> {
  const { index, peers, signal } = run;
  const sealed = await sealCatalogue(run.spool, index.nextShardNumber(), blocks);
  const { cid, bytes, carBytes } = sealed;
  await index.noteStray({ cid, peers: peerNames });

  const least = leastReplicas(run.replication, peers);
  const failures = new Map<string, ShardctlError>();
  const late = new AbortController();
  // There is a listener for each peer: of more than ten Node would say on stderr that they leak, and cron would mail it.
  setMaxListeners(0, late.signal);
  const options = {
    mayConsume: false,
    allocation: peerNames,
    signal: AbortSignal.any([signal, late.signal]),
    throttle: run.throttle,
  };
  let patience: NodeJS.Timeout | undefined;
  let taken = 0;
  // On all at once: one that is slow does not keep the others waiting, and members of one IPFS Cluster share an upload.
  const putOn = async (name: string) => {
    try {
      const putting = putWithRetries(peerNamed(peers, name), { ...sealed, label }, options, run);
      await untilAborted(putting, late.signal);
      if (++taken >= least) patience ??= setTimeout(() => late.abort(tooLate()), PATIENCE_MS);
    } catch (thrown) {
      signal.throwIfAborted();
      const error: unknown = late.signal.aborted ? late.signal.reason : thrown;
      if (!(error instanceof ShardctlError)) throw error;
      failures.set(name, error);
      run.emit({ ...peerWarning(name, 'has no copy of the catalogue', error), ...causeOf(run, name, error) });
    }
  };
  await Promise.all(peerNames.map(putOn)).finally(() => clearTimeout(patience));
  const holders = peerNames.filter((name) => !failures.has(name));
  const [failure] = failures.values();
  removeFileSync(sealed.carPath);
  const full = [...failures].filter(([, { code }]) => code === 'NO_SPACE').map(([name]) => name);
  run.fullPeers?.note(full, holders);
  if (holders.length < least)
    throw failure ?? new ShardctlError('TOO_FEW_PEERS', `only ${holders.length} of ${least} peers took the catalogue`);
  return { cid, bytes, blocks: sealed.blocks, carBytes, peers: holders };
}

/** How much a full peer lacks is different for each catalogue: the cause is the same. */
function causeOf({ fullPeers }: CatalogueRun, name: string, { code }: ShardctlError): { cause?: string; known?: true } {
  if (code !== 'NO_SPACE') return {};
  return { cause: `peer "${name}" is full`, ...(fullPeers?.isKnown(name) === true ? { known: true } : {}) };
}

/** Writes a catalogue to the spool. @param number that no shard in the spool has */
export function sealCatalogue(spool: string, number: number, blocks: readonly Buffer[]): Promise<PackedShard> {
  const shard = new OpenShard(spool, number);
  const builder = new BatchBuilder();
  for (const block of blocks) builder.add(block);
  const sections = builder.take();
  for (const cursor = new SectionCursor(sections); cursor.next(); ) shard.note(sections, cursor.digestAt, cursor.end - cursor.dataAt);
  void shard.write(sections);
  return shard.seal();
}
