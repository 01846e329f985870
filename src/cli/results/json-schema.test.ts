import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertDescribed, JSON_SCHEMA, kindsOfLine } from '../../testing/json-lines.ts';

const ROOT = new URL('../../../../', import.meta.url);

test('docs/json.schema.json is made of the types of today: else run scripts/json-schema', () => {
  const { stdout, stderr } = spawnSync(fileURLToPath(new URL('scripts/json-schema', ROOT)), ['--print'], { encoding: 'utf8' });
  assert.equal(stdout, JSON_SCHEMA, stderr);
});

test('docs/json.md has each kind of line once, with its fields', () => {
  const page = readFileSync(new URL('docs/json.md', ROOT), 'utf8');
  const entries = page.split(/^- (?=`[\w-]+`(?: \(|:))/m).slice(1);
  const told = entries.map((entry) => {
    const [, type = '', fields = ''] = /^`([\w-]+)`(?:\s+\(([^)]*)\))?:/.exec(entry) ?? [];
    return `${type}: ${[...fields.matchAll(/`([^`]+)`/g)].map(([, field]) => field).sort()}`;
  });
  const known = kindsOfLine(JSON.parse(JSON_SCHEMA)).map(({ properties = {}, required = [] }) => {
    const { type, ...others } = properties;
    const fields = Object.keys(others).map((name) => (required.includes(name) ? name : `${name}?`));
    return `${type?.const}: ${fields.sort()}`;
  });
  assert.deepEqual(told.sort(), known.sort());
});

test('a line is refused that has a field too many, one too few, or another type of it', () => {
  assertDescribed(['{"type":"mended","what":"shard 1","where":"disk1"}', '{"type":"exit","code":0,"v":1}']);
  for (const line of [
    '{"type":"mended","what":"shard 1","where":"disk1","more":1}',
    '{"type":"mended","what":"shard 1"}',
    '{"type":"mended","what":1,"where":"disk1"}',
    '{"type":"exit","code":0}',
    '{"type":"nothing"}',
  ])
    assert.throws(() => assertDescribed([line]), /has no such line/, line);
});
