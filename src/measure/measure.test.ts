import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { measurer } from './measure.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-measure-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const log = join(dir, 'log');
const measure = measurer(process);
const never = new AbortController().signal;

test('bytes and memory are those of all processes that the command has started', { skip: process.platform !== 'linux' }, async () => {
  const copy = 'head -c 3000000 /dev/zero | cat > /dev/null';
  const alone = await measure({ argv: ['sh', '-c', 'exit 0'] }, log, never);
  const both = await measure({ argv: ['sh', '-c', copy] }, log, never);
  assert.ok(both.readBytes - alone.readBytes >= 6_000_000, `${both.readBytes} bytes read`);
  assert.ok(both.writtenBytes - alone.writtenBytes >= 6_000_000, `${both.writtenBytes} bytes written`);
  const node = await measure({ argv: ['sh', '-c', `"${process.execPath}" -e 0; exit 0`] }, log, never);
  assert.ok(node.treePeakBytes >= node.peakRssBytes && node.peakRssBytes > 10e6, `${node.peakRssBytes} bytes resident`);
  assert.ok(node.userSeconds + node.systemSeconds > 0);
});

test('a command that fails is told with its last words', async () => {
  await assert.rejects(measure({ argv: ['sh', '-c', 'echo so it is >&2; exit 7'] }, log, never), /ended with 7:\nso it is/);
});

test('what is undefined is taken out of the environment', async () => {
  const without = measurer({ env: { ...process.env, SOME: 'thing' }, kill: process.kill.bind(process) });
  await without({ argv: ['sh', '-c', 'test -z "$SOME"'], env: { SOME: undefined } }, log, never);
});

test('one that is stopped may still clean up, and is over when that is known', async () => {
  const controller = new AbortController();
  const mark = join(dir, 'cleaned');
  const said = join(dir, 'begun');
  const script = `trap 'touch ${mark}; exit 0' TERM; touch ${said}; while :; do sleep 0.05; done`;
  const running = measure({ argv: ['sh', '-c', script] }, log, controller.signal);
  while (!existsSync(said)) await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort(new Error('enough'));
  await assert.rejects(running, /enough/);
  assert.ok(existsSync(mark));
});
