import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type AnyReport, pageOf } from './page.ts';

const RESULTS = join(import.meta.dirname, '..', '..', '..', '..', 'bench', 'results');
const machine = {
  cores: 2,
  processor: 'A <processor>',
  memoryBytes: 8e9,
  node: 'v20.19.0',
  destination: 'tmpfs',
  load: 0.5,
} as const;

function reportOf(theirs: readonly number[]): AnyReport {
  const run = (tool: string, seconds: number, round: number) => ({ corpus: 'm&m', tool, phase: 'add', round, seconds, peakRssBytes: 1e8 });
  const runs = [...[1, 1.1].map((s, i) => run('shardctl', s, i)), ...theirs.map((s, i) => run('</style>', s, i))];
  return { bench: 'mirror', time: '2026-11-27T08:00:00.000Z', machine, corpora: [{ name: 'm&m', files: 3, bytes: 5e6 }], ...{ runs } };
}

test('every result that is kept becomes a page that loads nothing and runs nothing', () => {
  const files = readdirSync(RESULTS).filter((name) => name.endsWith('.json'));
  assert.ok(files.length > 0);
  for (const name of files) {
    const report = JSON.parse(readFileSync(join(RESULTS, name), 'utf8')) as AnyReport;
    const page = pageOf(report);
    assert.doesNotMatch(page, /<script|<link|<img|\ssrc=|@import|url\(|\son\w+=|undefined|NaN/, name);
    for (const tool of Object.keys(report.tools ?? {})) assert.ok(page.includes(tool), `${name}: ${tool}`);
    assert.ok(page.includes('<svg'), name);
  }
});

test('a verdict is told where neither is noisy, and there alone', () => {
  assert.match(pageOf(reportOf([2, 2.2])), /<b>0\.50<\/b> of/);
  const noisy = pageOf(reportOf([1, 3]));
  assert.match(noisy, /too noisy for a verdict/);
  assert.doesNotMatch(noisy, /<\/b> of/);
});

test('what a machine or a program calls itself is text', () => {
  const page = pageOf(reportOf([2]));
  assert.match(page, /A &lt;processor&gt;/);
  assert.match(page, /m&amp;m/);
  assert.equal(
    page.split('</style>').length - 1,
    1 + (page.match(/<svg/g)?.length ?? 0),
    'the styles of the page and of its pictures alone',
  );
});
