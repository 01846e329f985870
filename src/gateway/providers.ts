/** Who has a block, by the word of a router (`/routing/v1`, IPIP-337): nothing of it is proved. */
import type { Gateway } from './gateway.ts';

const MAX_ANSWER_BYTES = 1024 * 1024;
const MOST_PROVIDERS = 10_000;
const MOST_ADDRESSES = 100;

export interface Provider {
  /** Its peer ID. */
  readonly id: string;
  /** Multiaddrs. */
  readonly addresses: readonly string[];
  readonly protocols: readonly string[];
}

/** @returns each peer once; none when the router knows none @throws GatewayFailure */
export async function providersOf(router: Gateway, cid: string, signal?: AbortSignal): Promise<readonly Provider[]> {
  const asking = { path: `routing/v1/providers/${cid}`, headers: { accept: 'application/json' }, signal };
  const text = await router.smallOrAbsent(asking, MAX_ANSWER_BYTES);
  return text === undefined ? [] : providersIn(text.toString('utf8'));
}

/** What a router's answer says; what it should not say is left out. */
export function providersIn(text: string): readonly Provider[] {
  let records: unknown;
  try {
    records = (JSON.parse(text) as { Providers?: unknown } | null)?.Providers;
  } catch {
    return [];
  }
  if (!Array.isArray(records)) return [];
  const found = new Map<string, Provider>();
  for (const record of records.slice(0, MOST_PROVIDERS) as ({ ID?: unknown; Addrs?: unknown; Protocols?: unknown } | null)[]) {
    if (typeof record?.ID !== 'string' || record.ID.length > 200 || found.has(record.ID)) continue;
    found.set(record.ID, { id: record.ID, addresses: textsIn(record.Addrs), protocols: textsIn(record.Protocols) });
  }
  return [...found.values()];
}

function textsIn(list: unknown): string[] {
  return Array.isArray(list) ? list.slice(0, MOST_ADDRESSES).filter((text): text is string => typeof text === 'string') : [];
}
