/** What `repair`, `update --repair` and `check` say of what they have mended. */
import type { Lost, Repaired } from '../../maintain/repair/repair.ts';
import { counted, formatSeconds } from '../reporter/text.ts';

/** Told also by a run that is quiet. */
export function lostLines(lost: readonly Lost[]): string[] {
  return lost.map(({ what, snapshots, blocks }) => {
    const part = blocks === undefined ? '' : `${counted(blocks, 'block')} of `;
    return `lost: ${part}${what}, which ${snapshots.join(', ')} ${snapshots.length === 1 ? 'needs' : 'need'}`;
  });
}

export function repairedLines(
  { dryRun, shards, mended, added, relisted, rewritten, runs, tooFew, lost, identities, found }: Repaired,
  seconds: number,
): string[] {
  const done = dryRun ? 'to be ' : '';
  const out = [`${counted(shards, 'shard')} looked at, ${formatSeconds(seconds)}`];
  if (mended > 0) out.push(`${done}mended: ${counted(mended, 'replica')}`);
  if (identities > 0) out.push(`${done}written again: peer.json of ${counted(identities, 'peer')}`);
  if (found > 0) out.push(`${done}counted again: ${counted(found, 'replica')} that no record named`);
  if (added > 0) out.push(`${done}added: ${counted(added, 'replica')}`);
  if (runs > 0) out.push(`${done}made anew: ${counted(runs, 'file')} of the block table`);
  if (relisted > 0) out.push(`${done}listed again: ${counted(relisted, 'block')}`);
  if (rewritten > 0) out.push(`${counted(rewritten, 'snapshot')} got a new CID: all that it needs is in the shards that it names now`);
  if (tooFew > 0) out.push(`${counted(tooFew, 'shard')} still on too few peers: bring a peer back or add one, then repair again`);
  if (lost.length > 0)
    out.push(
      `blocks of ${counted(lost.length, 'shard')} are lost, and all else can be read: \`shardctl add\` the source again to store them anew, then \`shardctl repair\``,
    );
  if (out.length === 1) out.push('nothing to mend');
  return out;
}
