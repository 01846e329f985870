/** Which settings differ from those that were read last. The user is told, as it may be a flipped bit and not his edit. Loaded only when something differs. */

/** Command lines, which may hold passwords and tokens anywhere. */
const HOOKS: ReadonlySet<string> = new Set(['onCommit', 'onProblem']);

/** A line of text for each field that differs: `replication.min: 2 → 0`. Peers are matched by their names, and what may be a secret is left out. */
export function differences(before: unknown, after: unknown, field = ''): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  // The text goes into logs, and into the home.
  if (HOOKS.has(field)) return [`${field}: ${after === undefined ? 'no command line' : 'another command line'}`];
  if (!isObject(before) || !isObject(after)) return [`${field || 'settings'}: ${shown(before)} → ${shown(after)}`];
  const [old, now] = [byName(before), byName(after)];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].flatMap((key) =>
    differences(old[key], now[key], field === '' ? key : `${field}.${key}`),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function byName(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!Array.isArray(value)) return value;
  const items = value as readonly unknown[];
  return Object.fromEntries(items.map((item, at) => [isObject(item) && typeof item.name === 'string' ? item.name : String(at), item]));
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).replace(/\/\/[^/@"]*@/g, '//…@');
}
