/** For tests: holds what the program prints with `--json` to docs/json.schema.json. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const SCHEMA = new URL('../../../docs/json.schema.json', import.meta.url);

let line: z.ZodType | undefined;

/** Each line must be as the schema says, and have no field that the schema does not know: for others, new fields may come. */
export function assertDescribed(lines: readonly string[]): void {
  line ??= z.fromJSONSchema(withoutOthers(JSON.parse(readFileSync(SCHEMA, 'utf8'))) as Parameters<typeof z.fromJSONSchema>[0]);
  for (const text of lines) {
    const { success } = line.safeParse(JSON.parse(text));
    assert.ok(success, `docs/json.schema.json has no such line; run scripts/json-schema, and see docs/json.md: ${text}`);
  }
}

function withoutOthers(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutOthers);
  if (schema === null || typeof schema !== 'object') return schema;
  const closed = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withoutOthers(value)]));
  return 'properties' in closed && !('additionalProperties' in closed) ? { ...closed, additionalProperties: false } : closed;
}
