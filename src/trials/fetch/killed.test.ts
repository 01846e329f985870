/** `fetch` that is killed at any moment: what can be seen of OUT is right at all times, and the next run goes on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { onlyInAll } from '../../testing/depth.ts';
import { assertIndexHolds, FetchTrial, publishMirror } from '../../testing/fetch-trial.ts';

const PACKAGES = 300;

let trial: FetchTrial;
let cids: string[];
const skip = onlyInAll();

before(async () => {
  if (skip !== false) return;
  trial = new FetchTrial();
  cids = [20, 21, 22].map((version) => {
    publishMirror(trial.source, version, PACKAGES);
    return trial.commit();
  });
  await trial.serve();
});
after(() => trial?.stop());

/** @returns whether it was killed, before its end */
async function killedAfter(ms: number, cid: string): Promise<boolean> {
  const child = trial.program.start('fetch', cid, trial.out, '--via', trial.gateway.url, '--delete', '--quiet');
  for (const stream of [child.stdout, child.stderr]) stream?.resume();
  const ended = once(child, 'exit');
  await Promise.race([setTimeout(ms), ended]);
  child.kill('SIGKILL');
  const [, signal] = await ended;
  return signal === 'SIGKILL';
}

test('an index never names what is not there, and the next run goes on where the killed one was', { skip }, async (t) => {
  let whole = 0;
  let runMs = 0;
  // The second copy is made on a warm machine, as those that are killed are.
  for (let copy = 0; copy < 2; copy++) {
    rmSync(trial.out, { recursive: true, force: true });
    const start = performance.now();
    whole = await trial.fetched(cids[2] as string, '--delete');
    runMs = performance.now() - start;
  }
  const rounds = 9;
  let killed = 0;
  let resumed = 0;
  for (let round = 0; round < rounds; round++) {
    // One round of three is a first copy; the others are updates, there and back.
    if (round % 3 === 0) rmSync(trial.out, { recursive: true, force: true });
    const target = cids[round % 2] as string;
    for (let attempt = 0; attempt < 2; attempt++) {
      killed += Number(await killedAfter(runMs * (0.15 + 0.5 * Math.random()), target));
      assertIndexHolds(trial.out);
    }
    const bytes = await trial.fetched(target, '--delete');
    assertIndexHolds(trial.out);
    if (round % 3 === 0 && bytes < 0.9 * whole) resumed++;
  }
  t.diagnostic(`${killed} of ${2 * rounds} runs were killed, ${resumed} first copies went on`);
  assert.ok(killed > rounds / 2, 'runs were killed');
  await trial.fetched(cids[2] as string, '--delete');
  trial.assertEqual();
});
