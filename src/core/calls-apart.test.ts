import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { sampled } from '../testing/depth.ts';
import { inotifyCalls } from './inotify-calls.ts';

const skip = inotifyCalls() === undefined ? 'these calls are not there' : false;

/** Waits for a descriptor again and again, while garbage is collected and others take the memory. @param wait code that waits for `bell` */
function waitAmongGarbage(module: string, wait: string): { readonly status: number | null; readonly stdout: string } {
  const code = `
    const { inotifyCalls } = await import(${JSON.stringify(new URL('./inotify-calls.js', import.meta.url).href)});
    const { fuseCalls } = await import(${JSON.stringify(new URL('./fuse-calls.js', import.meta.url).href)});
    const [bells, calls] = [inotifyCalls(), ${module}()];
    const bell = bells.bell();
    for (let round = 0; round < ${sampled(50, 200)}; round++) {
      const waiting = ${wait};
      const others = [];
      for (let i = 0; i < 3; i++) {
        globalThis.gc();
        others.push(Array.from({ length: 200 }, () => Buffer.alloc(16 + 8 * i).fill(0xaa)));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
      bells.ring(bell);
      await waiting;
      bells.hush(bell);
      if (others.flat().some((it) => it.some((byte) => byte !== 0xaa))) process.exit(1);
    }
    console.log('done');`;
  return spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', code], { encoding: 'utf8' });
}

for (const [module, wait] of [
  ['inotifyCalls', 'calls.waitForAny([bell])'],
  ['fuseCalls', 'calls.waitForEither(bell, bell)'],
] as const) {
  test(`what ${module} hands to a call in a thread is not collected before that ends`, { skip }, () => {
    const { status, stdout } = waitAmongGarbage(module, wait);
    assert.deepEqual([status, stdout], [0, 'done\n']);
  });
}
