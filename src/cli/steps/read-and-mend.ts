/** The first step of `check`: reads a part of the shards back on each of their peers, and mends what is damaged there or missing anywhere. */
import { notePartsRead, type PartsRead, partInTurn } from '../../home/runs/part-turn.ts';
import type { Index } from '../../index/index.ts';
import type { Maintenance } from '../../maintain/maintenance.ts';
import { type Repaired, repair } from '../../maintain/repair/repair.ts';
import { isInPart } from '../../maintain/shard-part.ts';
import { missingSomewhere, standOf, withLosses } from '../../maintain/stand.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { lostLines } from '../results/repaired.ts';
import { mendedCode } from './mend-missing.ts';

export interface PartToRead extends PartsRead {
  /** For people, counted from 1; absent when nothing is to be read. */
  readonly name?: string;
}

/** `--verify N/T`, or `none`. @throws ShardctlError `USAGE` */
export function partToRead({ args, home }: Context): PartToRead {
  const text = args.text('verify') ?? '1/30';
  if (text === 'none') return { first: 0, count: 0, parts: 1 };
  const [, n = '', t = ''] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  const [count, parts] = [Number(n), Number(t)];
  if (!(count >= 1 && count <= parts)) throw usage(`--verify "${text}" is neither N/T, with N from 1 to T, nor none`, args.command);
  const first = partInTurn(home.runs, args.positionals, parts);
  const last = ((first + count - 1) % parts) + 1;
  return { first, count, parts, name: count === 1 ? `${first + 1}/${parts}` : `${first + 1} to ${last}/${parts}` };
}

/** @param names repositories whose shards are meant */
export async function readAndMend(
  { args, home, output }: Context,
  maintenance: Maintenance,
  names: readonly string[],
  { first, count, parts }: PartToRead,
): Promise<{ readonly repaired: Repaired; readonly code: number }> {
  const dryRun = args.flag('dry-run');
  const isMeant = shardsOf(maintenance.index, names);
  const statuses = (await standOf(maintenance)).filter(({ cid }) => isMeant.has(cid));
  const isRead = (cid: string) => Array.from({ length: count }, (_, at) => (first + at) % parts).some((nth) => isInPart(cid, nth, parts));
  const read = new Set(statuses.flatMap(({ cid }) => (isRead(cid) ? [cid] : [])));
  // Each catalogue is to be on every peer, also on one that was silent when the others got theirs.
  const catalogues = statuses.flatMap(({ cid, shards: numbers }) => (numbers.length === 0 ? [cid] : []));
  const shards = new Set([...read, ...catalogues, ...missingSomewhere(statuses), ...withLosses(statuses)]);
  const repaired = await repair({ ...maintenance, readData: read, dryRun, part: { shards, isQuick: false } });
  if (!dryRun && count > 0) notePartsRead(home.runs, args.positionals, { first, count, parts });
  for (const line of lostLines(repaired.lost)) output.note(line);
  return { repaired, code: mendedCode(repaired) };
}

/** CIDs of the shards and catalogues that snapshots of these repositories need. */
export function shardsOf(index: Index, names: readonly string[]): Set<string> {
  const snapshots = names.flatMap((name) => index.snapshots(name));
  const numbers = new Set(snapshots.flatMap(({ shards }) => shards));
  return new Set([...[...numbers].flatMap((number) => index.shard(number)?.cid ?? []), ...snapshots.map(({ catalogue }) => catalogue.cid)]);
}
