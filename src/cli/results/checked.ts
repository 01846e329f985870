/** The last words of `check`. */
import { formatSize } from '../../home/sizes.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import type { Result } from './results.ts';

const REASONS = {
  lost: 'because blocks are lost, and what would go may still have them',
  waiting: 'because a peer that does not answer is waited for',
  unlisted: 'because it would go by lists that only a real run mends',
} as const;

export function checkedLines({
  dryRun,
  part,
  forgotten,
  skipped,
  atRisk,
  atRiskBytes,
  seconds,
}: Extract<Result, { type: 'checked' }>): string[] {
  const would = dryRun ? 'to be ' : '';
  return [
    part === null ? 'read back: nothing, as told' : `${would}read back: part ${part} of the shards`,
    ...(forgotten > 0 ? [`${would}forgotten: ${counted(forgotten, 'snapshot')}`] : []),
    ...skipped.map(({ step, reason }) => `left out: ${step}, ${REASONS[reason]}`),
    atRisk === 0 ? 'each shard is on as many peers as asked for' : `at risk: ${counted(atRisk, 'shard')}, ${formatSize(atRiskBytes)}`,
    `took ${formatSeconds(seconds)}`,
  ];
}
