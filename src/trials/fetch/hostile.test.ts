/** `fetch` from a crowd of gateways in bad faith: it ends, its memory is bounded, and nothing that is wrong comes into OUT. */
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { onlyInAll } from '../../testing/depth.ts';
import { type Bounded, FetchTrial, OWN, publishMirror } from '../../testing/fetch-trial.ts';
import { treeState } from '../../testing/hard-tree.ts';
import { HostileGateway, type LieRule } from '../../testing/hostile-gateway.ts';
import { flipped, LIES, RANGE_LIES } from '../../testing/hostile-gateway-lies.ts';
import { truthAt } from '../../testing/hostile-gateway-truth.ts';

const PEAK_BYTES = 350_000_000;
/** They wait for as long as the client does, which here is a minute. */
const PATIENT = /silent|nothing at all|drips|length of 10\^15|hints/;

/** It ended by itself, with an error that is no bug, or well. */
function assertEnded({ code, signal, stderr, peakBytes }: Bounded): void {
  assert.equal(signal, null, stderr);
  assert.ok(code !== 1 && code !== null, `exit code ${code}: ${stderr}`);
  assert.ok(peakBytes < PEAK_BYTES, `${peakBytes} bytes of memory`);
}

describe('a crowd of gateways that lie', { skip: onlyInAll() }, () => {
  let trial: FetchTrial;
  let cid: string;
  const liars: HostileGateway[] = [];
  before(async () => {
    trial = new FetchTrial();
    publishMirror(trial.source, 10, 200);
    cid = trial.commit();
    await trial.serve();
    const lies = [...Object.entries(LIES), ...Object.entries(RANGE_LIES)].filter(([name]) => !PATIENT.test(name));
    for (const [, lie] of lies) liars.push(await HostileGateway.start({ truth: truthAt(trial.gateway.url), rule: () => lie }));
  });
  after(async () => {
    for (const liar of liars) await liar.stop();
    await trial.stop();
  });

  const run = async (gateways: readonly string[]): Promise<Bounded> => {
    rmSync(trial.out, { recursive: true, force: true });
    return await trial.fetchBounded(cid, trial.out, ...gateways.flatMap((url) => ['--via', url]));
  };
  const urls = () => liars.map(({ url }) => url);
  /** Each file that is there is right. */
  const assertNothingWrong = () => {
    if (!existsSync(trial.out)) return;
    const right = treeState(trial.source);
    for (const [path, state] of treeState(trial.out, true, [OWN]) as Map<string, [string]>)
      if (state[0] === 'file') assert.deepEqual(state, right.get(path), path);
  };

  test('beside an honest one gives the whole tree', async () => {
    const ended = await run([...urls(), trial.gateway.url]);
    assertEnded(ended);
    assert.equal(ended.code, 0, ended.stderr);
    trial.assertEqual();
  });

  test('alone gives nothing that is wrong, and an error', async () => {
    const ended = await run(urls().slice(0, 3));
    assertEnded(ended);
    assert.notEqual(ended.code, 0);
    assertNothingWrong();
  });

  test('that tells the truth of single blocks, and flips a bit in each shard, gives nothing that is wrong', async () => {
    const rule: LieRule = ({ path }) => (path.includes('format=raw') ? undefined : flipped());
    const liar = await HostileGateway.start({ truth: truthAt(trial.gateway.url), rule });
    const ended = await run([liar.url]);
    await liar.stop();
    assertEnded(ended);
    assertNothingWrong();
  });
});
