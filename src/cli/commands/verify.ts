/** `shardctl verify [REF…]`: whether the peers hold what the snapshots name. */

import { existsSync } from 'node:fs';
import { EXIT } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { type SnapshotRecord, snapshotName } from '../../core/model.ts';
import { CidMap } from '../../dag/cid-map.ts';
import { formatCount, formatSize } from '../../home/sizes.ts';
import type { Index } from '../../index/index.ts';
import { isInPart } from '../../maintain/shard-part.ts';
import { type ExpectedShard, verify } from '../../maintain/verify.ts';
import { verifyTrees } from '../../maintain/verify-trees.ts';
import { Demands } from '../../storing/demand.ts';
import { type Args, usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { replicationOf } from '../command-line/quantities.ts';
import { resolveRef } from '../command-line/ref.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { reading, type Session } from '../session/session.ts';
import { expectedShards } from '../steps/expected-shards.ts';
import { type Figures, withFigures } from '../steps/maintenance-log.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, now, output, reporter, signal } = context;
  const against = args.text('against');
  if (against !== undefined) return await (await import('./verify-against.ts')).verifyAgainst(context, against);
  const replication = replicationOf(args);
  chosenOf(args, []);
  const work = async ({ config, index, peers }: Session, figures: Figures): Promise<number> => {
    const refs = args.positionals;
    const snapshots = refs.length === 0 ? allSnapshots(index) : named(refs, index);
    const started = now();
    const demands = new Demands(index, { home: config, told: { replication } });
    const followed = existsSync(home.follow) && refs.length === 0 ? followedIn(index) : [];
    const expected = expectedShards(followed, snapshots, { index, indexDir: home.index, demands, peers });
    const readData = chosenOf(args, expected);
    const emit: Emit = (event) => reporter.event(event);
    const damagedSegments = index.damagedSegments();
    let areListed = damagedSegments.length === 0;
    const { shards, blocks, bytes, away, tooFew, ...found } = await verify({
      shards: expected,
      peers,
      damagedSegments,
      lists: (shard, digests, at) => {
        const isListed = index.lists(shard, digests, at);
        areListed &&= isListed;
        return isListed;
      },
      readData,
      emit,
      signal,
    });
    // Trees are not followed where parts of the block table are damaged: blocks that are not listed would look missing.
    const broken = areListed ? await verifyTrees({ index, peers, snapshots, emit, signal }) : 0;
    const damaged = found.damaged + broken;
    const seconds = (now() - started) / 1000;
    figures.verifyShards = shards;
    figures.verifyReadBytes = bytes;
    figures.verifyDamaged = damaged;
    figures.verifySilent = away;
    if (args.flag('root-only') && !context.json) {
      for (const { tree } of snapshots) output.line(tree);
    }
    if (!context.quiet || context.json) {
      answer(context, [{ type: 'verified', shards, blocks, bytes, damaged, tooFew, away, seconds }], () => {
        const read = readText(readData, blocks, bytes);
        return [`${counted(shards, 'shard')} looked at${read}: ${foundText(damaged, away, tooFew)}, ${formatSeconds(seconds)}`];
      });
    }
    if (damaged > 0) return EXIT.damage;
    if (away > 0) return EXIT.tooFewPeers;
    return tooFew > 0 ? EXIT.atRisk : EXIT.done;
  };
  return await withFigures(context, 'verify', args.positionals.length === 0, (figures) =>
    reading(context, (session) => work(session, figures), { checkBlocks: true }),
  );
}

/**
 * The shards that `--read-data` asks for: all (true), none (false), the Nth of T parts, or a random P %. As in restic, a
 * shard is always in the same part, so that T runs have read everything; and a percentage is of other shards each time.
 */
function chosenOf(args: Args, shards: Iterable<ExpectedShard>): ReadonlySet<string> | boolean {
  const text = args.text('read-data');
  if (text === undefined || text === '') return text !== undefined;
  const [, part, parts] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text)?.[1];
  const chosen = new Set<string>();
  if (part !== undefined && Number(part) >= 1 && Number(part) <= Number(parts)) {
    for (const { cid } of shards) if (isInPart(cid, Number(part) - 1, Number(parts))) chosen.add(cid);
    return chosen;
  }
  if (percent !== undefined && Number(percent) > 0 && Number(percent) <= 100) {
    const isMet = new CidMap();
    for (const { cid } of shards) isMet.add(cid, 0);
    let left = isMet.size;
    const count = Math.ceil((left * Number(percent)) / 100);
    // Of those that are left each is as likely to be taken, until there are as many as are asked for.
    for (const { cid } of shards) {
      if (isMet.get(cid) !== 0) continue;
      isMet.set(cid, 1);
      if (Math.random() * left-- < count - chosen.size) chosen.add(cid);
    }
    return chosen;
  }
  throw usage(`--read-data="${text}" is neither N/T, with N from 1 to T, nor a percentage such as 5%`, args.command);
}

function foundText(damaged: number, away: number, tooFew: number): string {
  const found = [
    ...(damaged > 0 ? [`damage: ${damaged}`] : []),
    ...(away > 0 ? [`no answer from ${counted(away, 'peer')}`] : []),
    ...(tooFew > 0 ? [`on too few peers: ${counted(tooFew, 'shard')}`] : []),
  ];
  return found.length === 0 ? 'no damage' : found.join(', ');
}

function readText(readData: ReadonlySet<string> | boolean, blocks: number, bytes: number): string {
  if (readData === false) return '';
  return readData === true
    ? `, ${counted(blocks, 'block')} read back, ${formatSize(bytes)}`
    : `, ${formatCount(readData.size)} of them read back, ${formatSize(bytes)}`;
}

/** Each once, by whatever names. */
function named(refs: readonly string[], index: Index): SnapshotRecord[] {
  const snapshots = refs.map((ref) => resolveRef(ref, index).snapshot);
  return [...new Map(snapshots.map((snapshot) => [snapshotName(snapshot), snapshot])).values()];
}

function allSnapshots(index: Index): SnapshotRecord[] {
  return index.repositories().flatMap(({ name }) => index.snapshots(name));
}

/** What a follower holds, of snapshots that are not in its home. */
function followedIn(index: Index): ExpectedShard[] {
  const held = [...index.shards()].filter(({ state }) => state !== 'sealed');
  return held.map((shard) => ({ ...shard, label: `shard ${shard.number}`, least: 1 }));
}
