import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { runHook } from './hook-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-hook-'));
after(() => rmSync(scratch, { recursive: true }));

async function hook(command: string, more: Partial<Parameters<typeof runHook>[0]> = {}) {
  const lines: string[] = [];
  const why = await runHook({
    ...{ command, message: { a: 1 }, env: { SHARDCTL_HOOK: 'commit' }, timeoutMs: 30_000 },
    onLine: (line) => lines.push(line),
    ...more,
  });
  return { why, lines };
}

test('a hook gets the message on stdin and the words in its environment, and its output is heard', async () => {
  assert.deepEqual(await hook('cat; echo "$SHARDCTL_HOOK" >&2'), { why: undefined, lines: ['{"a":1}', 'commit'] });
});

test('tokens of the run are not handed on', async () => {
  process.env.SHARDCTL_TOKEN_KUBO = 'secret';
  const { lines } = await hook('env');
  delete process.env.SHARDCTL_TOKEN_KUBO;
  assert.equal(lines.join().includes('secret'), false);
});

test('a hook that fails, is not there, or does not read its message says so and throws nothing', async () => {
  assert.equal((await hook('exit 3')).why, 'it ended with 3');
  assert.equal((await hook('/no/such/command')).why, 'it ended with 127');
  const large = { message: { text: 'x'.repeat(1_000_000) } };
  assert.equal((await hook('exec <&-', large)).why, undefined);
});

test('when its time is over it is killed with all that it has started', async () => {
  const file = join(scratch, 'pid');
  const { why } = await hook(`sleep 1000 & echo $! > ${file}; wait`, { timeoutMs: 300 });
  assert.equal(why, 'it took longer than 0.3 s');
  const state = () => {
    try {
      return readFileSync(`/proc/${readFileSync(file, 'utf8').trim()}/stat`, 'utf8').split(' ')[2];
    } catch {
      return 'gone';
    }
  };
  // A process that was killed is gone when the kernel has come to it.
  while (!/gone|Z/.test(state() ?? '')) await setTimeout(10);
});

test('a process that it leaves behind does not hold up the run', async () => {
  const file = join(scratch, 'left');
  assert.equal((await hook(`sleep 1000 & echo $! > ${file}`)).why, undefined);
  process.kill(Number(readFileSync(file, 'utf8')));
});

test('a run that is stopped ends its hook', async () => {
  const controller = new AbortController();
  const running = hook('echo begun; sleep 1000', { signal: controller.signal, onLine: () => controller.abort() });
  assert.equal((await running).why, 'the run was stopped');
});

test('what it may write is bounded', async () => {
  const { why, lines } = await hook('yes | head -c 10000000; head -c 5000000 /dev/zero | tr "\\0" x');
  assert.equal(why, undefined);
  assert.equal(lines.length, 100);
});
