import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemorySink } from '../../testing/memory-sink.ts';
import { Output } from './output.ts';

test('results go to stdout, everything else to stderr', () => {
  const [stdout, stderr] = [new MemorySink(), new MemorySink()];
  const output = new Output(stdout, stderr);
  output.line('root');
  output.json({ mtime: 12n });
  output.note('careful');
  assert.deepEqual(stdout.lines, ['root', '{"mtime":"12"}']);
  assert.deepEqual(stderr.lines, ['careful']);
});

test('a reader that goes away ends the output, not the run', async () => {
  const stdout = new MemorySink();
  const output = new Output(stdout, new MemorySink());
  stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  output.line('lost');
  await output.bytes(Buffer.from('lost'));
  await output.flushed();
  assert.equal(stdout.text, '');
  assert.ok(output.closed);
});

test('a slow reader holds the sender back until it has room', async () => {
  const stdout = new MemorySink();
  stdout.write = () => false;
  const output = new Output(stdout, new MemorySink());
  let sent = false;
  const sending = output.bytes(Buffer.from('data')).then(() => {
    sent = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sent, false);
  stdout.emit('drain');
  await sending;
});

test('a sender that waits for room is let go when the reader goes away', async () => {
  const stdout = new MemorySink();
  stdout.write = () => false;
  const output = new Output(stdout, new MemorySink());
  let isLetGo = false;
  const sending = output.bytes(Buffer.from('data')).then(() => {
    isLetGo = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isLetGo, false, 'it waits while there is no room');
  stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isLetGo, true);
  await sending;
  // Nothing is written any more, and what is left unwritten is no failure of the run.
  stdout.write = () => assert.fail('written to a reader that has gone');
  await output.bytes(Buffer.from('more'));
  await output.assertWritten();
});

test('nothing that is no character to look at comes out, in whatever line it is, and JSON says the same without it', async () => {
  const [stdout, stderr] = [new MemorySink(), new MemorySink()];
  const output = new Output(stdout, stderr);
  const hostile = 'a\u001b[2J\u009b31m\u202eb\u2028c\nd\u{e0001}\u200f\x7f';
  output.line(hostile);
  output.note(hostile);
  output.json({ name: hostile });
  await output.item(hostile);
  await output.item({ name: hostile });
  assert.deepEqual(stderr.lines, ['a\\x1B[2J\\x9B31m\\u{202e}b\\u{2028}c\\nd\\u{e0001}\\u{200f}\\x7F']);
  for (const sink of [stdout, stderr]) assert.doesNotMatch(sink.text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  assert.deepEqual(JSON.parse(stdout.lines[1] ?? ''), { name: hostile });
  assert.equal(stdout.lines.length, 4);
  output.line('\u{1F600}é');
  assert.equal(stdout.lines[4], '\u{1F600}é');
});
