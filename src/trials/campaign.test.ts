/**
 * The campaign (src/testing/campaign): whatever operators, crashes and disks do to homes that share peers, nothing that is retained
 * is ever lost.
 *
 * `SHARDCTL_CAMPAIGN_SEED`, `_ROUNDS`, `_SECONDS` and `_DIR` say which one, how long and where: docs/development.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCampaign } from '../testing/campaign/campaign.ts';
import { onlyInAll } from '../testing/depth.ts';

const { SHARDCTL_CAMPAIGN_SEED: seed, SHARDCTL_CAMPAIGN_ROUNDS: rounds, SHARDCTL_CAMPAIGN_SECONDS: seconds } = process.env;

test('after any round of a campaign every retained snapshot of every home is there and comes back as it was', {
  skip: seed === undefined && rounds === undefined && onlyInAll(),
}, async (t) => {
  const dir = mkdtempSync(join(process.env.SHARDCTL_CAMPAIGN_DIR ?? tmpdir(), 'shardctl-campaign-'));
  // The same each time, so that what fails is what was changed; another one each time is for those who hunt.
  const chosen = seed === 'random' ? Date.now() % 1_000_000 : Number(seed ?? 1);
  t.diagnostic(`seed ${chosen}, in ${dir}`);
  const tally = await runCampaign({ seed: chosen, rounds: Number(rounds ?? 30), seconds: Number(seconds ?? 3600), dir });
  t.diagnostic(JSON.stringify(tally));
  rmSync(dir, { recursive: true });
});
