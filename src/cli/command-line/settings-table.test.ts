import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DEFAULT_CONFIG } from '../../home/config.ts';
import { homeValue, OWN_SETTING_NAMES, SETTING_NAMES } from './settings-table.ts';

test('docs/config.md has every setting, whose it is, and its default', () => {
  const page = readFileSync(new URL('../../../../docs/config.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([^`]+)` \| ([^|]+) \| `([^`]*)` \| [^|]+ \|$/gm)].map(([, ...cells]) => cells);
  const known = SETTING_NAMES.map((name) => [
    name,
    OWN_SETTING_NAMES.includes(name) ? 'home, repository' : 'home',
    homeValue(DEFAULT_CONFIG, name),
  ]);
  assert.deepEqual(rows, known);
});
