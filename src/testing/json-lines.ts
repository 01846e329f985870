/** For tests: holds what the program prints with `--json` to docs/json.schema.json. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

export const JSON_SCHEMA = readFileSync(new URL('../../../docs/json.schema.json', import.meta.url), 'utf8');

/** As much of a schema as is looked at here. */
export interface Schema {
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, { readonly const?: string }>>;
  readonly required?: readonly string[];
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** By type, when it was first met: the schema of all lines together would try one kind after the other, 0.4 ms a line. */
const validators = new Map<string, z.ZodType>();

/** Every kind of line, without the names by which they are grouped. */
export function kindsOfLine(schema: Schema): readonly Schema[] {
  const flat = ({ $ref, anyOf, ...itself }: Schema): readonly Schema[] => {
    if ($ref !== undefined) return flat(schema.definitions?.[decodeURIComponent($ref.slice('#/definitions/'.length))] ?? {});
    return anyOf === undefined ? [itself] : anyOf.flatMap(flat);
  };
  return flat(schema);
}

/** Each line must be as the schema says, and have no field that the schema does not know: for others, new fields may come. */
export function assertDescribed(lines: readonly string[]): void {
  for (const text of lines) {
    const line = JSON.parse(text) as { readonly type?: string };
    const isDescribed = validatorOf(line.type ?? '')?.safeParse(line).success === true;
    assert.ok(isDescribed, `docs/json.schema.json has no such line; run scripts/json-schema, and see docs/json.md: ${text}`);
  }
}

function validatorOf(type: string): z.ZodType | undefined {
  const known = validators.get(type);
  if (known !== undefined) return known;
  const schema = JSON.parse(JSON_SCHEMA) as Schema;
  const anyOf = kindsOfLine(schema).filter(({ properties }) => properties?.type?.const === type);
  if (anyOf.length === 0) return undefined;
  const closed = withoutOthers({ ...schema, anyOf }) as Parameters<typeof z.fromJSONSchema>[0];
  const validator = z.fromJSONSchema(closed);
  validators.set(type, validator);
  return validator;
}

function withoutOthers(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutOthers);
  if (schema === null || typeof schema !== 'object') return schema;
  const closed = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withoutOthers(value)]));
  return 'properties' in closed && !('additionalProperties' in closed) ? { ...closed, additionalProperties: false } : closed;
}
