import assert from 'node:assert/strict';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { homePaths } from '../../home/home.ts';
import { chosenHook, type ToldHooks } from './hook-settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'shardctl-hooks-'));
after(() => rmSync(dir, { recursive: true }));
const home = homePaths(dir);
writeFileSync(home.config, '{}');

const NONE: ToldHooks = { onCommandLine: undefined, ofRepository: undefined, ofHome: undefined };
const foreign: string[] = [];
const hook = (told: Partial<ToldHooks>) => chosenHook({ ...NONE, ...told }, home, (why) => foreign.push(why));

test('the command line counts before the repository, and that before the home; none is no hook', () => {
  assert.equal(hook({}), undefined);
  assert.equal(hook({ ofHome: 'h' }), 'h');
  assert.equal(hook({ ofHome: 'h', ofRepository: 'r' }), 'r');
  assert.equal(hook({ ofHome: 'h', ofRepository: 'r', onCommandLine: 'c' }), 'c');
  assert.equal(hook({ ofHome: 'h', ofRepository: 'none' }), undefined);
  assert.equal(hook({ ofHome: 'h', onCommandLine: 'none' }), undefined);
  assert.deepEqual(foreign, []);
});

test('hooks of a home that belongs to another user are not run, and that is said', { skip: process.getuid?.() !== 0 }, () => {
  chownSync(home.config, 12_345, 12_345);
  assert.equal(hook({ ofHome: 'h' }), undefined);
  assert.equal(hook({ ofRepository: 'r' }), undefined);
  assert.equal(foreign.length, 2);
  assert.equal(hook({ onCommandLine: 'c' }), 'c');
});
