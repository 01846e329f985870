import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DEFAULT_CONFIG } from './config.ts';
import { saveConfig } from './config-file.ts';
import { homePaths } from './home.ts';

const scratch = mkdtempSync(join(tmpdir(), 'shardctl-config-'));
after(() => rmSync(scratch, { recursive: true }));

test('settings are written beside what another run has begun to write, which neither takes nor replaces', () => {
  const home = homePaths(scratch);
  for (const path of [home.config, home.configCache]) writeFileSync(`${path}.new`, '{"peers":');
  saveConfig(home, DEFAULT_CONFIG);
  assert.deepEqual(JSON.parse(readFileSync(home.config, 'utf8')), JSON.parse(JSON.stringify(DEFAULT_CONFIG)));
  for (const path of [home.config, home.configCache]) assert.equal(readFileSync(`${path}.new`, 'utf8'), '{"peers":');
});
