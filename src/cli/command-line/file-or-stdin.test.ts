import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

test('stdin is read to its end, although whoever writes to it takes his time, and it does not block', async () => {
  const module = new URL('./file-or-stdin.js', import.meta.url).href;
  const code = `import { readFileOrStdin } from ${JSON.stringify(module)};
    process.stdout.write(String(readFileOrStdin('-', (path) => path).length));`;
  // Node makes what it is asked for as process.stdin one that does not block.
  const child = spawn(process.execPath, ['--input-type=module', '-e', `process.stdin; ${code}`], { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('latin1').on('data', (more: string) => {
    text += more;
  });
  for (let i = 0; i < 4; i++) {
    await sleep(300);
    child.stdin.write('x'.repeat(1_000_000));
  }
  child.stdin.end();
  await once(child, 'close');
  assert.equal(text, '4000000');
});
