import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GROUPS } from './groups.ts';
import { helpText } from './help.ts';
import { helpOf, OPTIONS, type OptionSpec } from './options.ts';
import { COMMANDS } from './spec.ts';

test('every command is in one group, and has a line of its own in 80 columns', async () => {
  const grouped = GROUPS.flatMap(({ commands }) => commands.map(({ words }) => words));
  assert.deepEqual(grouped.toSorted(), COMMANDS.map(({ words }) => words).sort());
  const lines = (await helpText('', 80)).split('\n');
  for (const { words, brief, summary } of COMMANDS) {
    const [line = '', ...more] = lines.filter((it) => it.startsWith(`  ${words}  `));
    assert.ok(more.length === 0 && line.endsWith(`  ${brief ?? summary}`), words);
  }
  assert.ok(lines.every((line) => line.length <= 80));
});

test('the page of a group has its commands alone, that of a command its options and an example', async () => {
  const group = await helpText('peers add', 80);
  assert.deepEqual(
    group.match(/^ {2}peers .*? {2}/gm)?.map((line) => line.trim()),
    ['peers add local', 'peers add cluster', 'peers add kubo'],
  );
  for (const { words, options, examples } of COMMANDS) {
    const page = await helpText(words, 80);
    for (const name of options) assert.match(page, new RegExp(`--${name}\\b`), words);
    assert.ok(
      examples.some((example) => page.includes(example.slice(0, 40))),
      words,
    );
  }
});

test('help says which options may be repeated, before what holds without them', async () => {
  const page = (await helpText('serve', 400)).split('\n');
  assert.match(page.find((line) => line.includes('--listen')) ?? '', /where to listen; may be repeated \[127\.0\.0\.1:8080\]/);
  const options = Object.values<OptionSpec>(OPTIONS);
  for (const option of options) assert.equal(/may be repeated/.test(helpOf(option)), option.isRepeatable !== undefined, option.help);
});
