import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertDescribed } from '../../testing/json-lines.ts';

const ROOT = new URL('../../../../', import.meta.url);

interface Schema {
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, { readonly const?: string }>>;
  readonly required?: readonly string[];
  readonly definitions?: Readonly<Record<string, Schema>>;
}

const text = readFileSync(new URL('docs/json.schema.json', ROOT), 'utf8');
const schema = JSON.parse(text) as Schema;

/** Every kind of line, without the names by which they are grouped. */
function kindsOf({ $ref, anyOf, ...itself }: Schema): readonly Schema[] {
  if ($ref !== undefined) return kindsOf(schema.definitions?.[decodeURIComponent($ref.slice('#/definitions/'.length))] ?? {});
  return anyOf === undefined ? [itself] : anyOf.flatMap(kindsOf);
}

test('docs/json.schema.json is made of the types of today: else run scripts/json-schema', () => {
  const { stdout, stderr } = spawnSync(fileURLToPath(new URL('scripts/json-schema', ROOT)), ['--print'], { encoding: 'utf8' });
  assert.equal(stdout, text, stderr);
});

test('docs/json.md has each kind of line once, with its fields', () => {
  const page = readFileSync(new URL('docs/json.md', ROOT), 'utf8');
  const entries = page.split(/^- (?=`[\w-]+`(?: \(|:))/m).slice(1);
  const told = entries.map((entry) => {
    const [, type = '', fields = ''] = /^`([\w-]+)`(?:\s+\(([^)]*)\))?:/.exec(entry) ?? [];
    return `${type}: ${[...fields.matchAll(/`([^`]+)`/g)].map(([, field]) => field).sort()}`;
  });
  const known = kindsOf(schema).map(({ properties = {}, required = [] }) => {
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
