import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { without } from '../../testing/package-tools/required.ts';
import { COMMANDS } from './spec.ts';

const ROOT = new URL('../../../../', import.meta.url);
const PAGE = fileURLToPath(new URL('man/shardctl.1', ROOT));

test('man/shardctl.1 is made of the tables of today: else run scripts/man-page', () => {
  const { stdout, stderr } = spawnSync(fileURLToPath(new URL('scripts/man-page', ROOT)), ['--print'], { encoding: 'utf8' });
  assert.equal(stdout, readFileSync(PAGE, 'utf8'), stderr);
});

test('it is rendered without a warning, in any locale, with every command', { skip: without('man', 'man') }, () => {
  for (const locale of ['C', 'C.UTF-8']) {
    const env = { ...process.env, LC_ALL: locale, MANWIDTH: '80', MANROFFOPT: '-ww', MANPAGER: 'cat' };
    const { stdout, stderr, status } = spawnSync('man', ['--warnings', '-l', PAGE], { env, encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
    for (const { words } of COMMANDS) assert.match(stdout, new RegExp(`^ {7}shardctl ${words}\\b`, 'm'));
  }
});
