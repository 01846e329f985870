/** Whether a daemon tells the network what it holds. One that does not can be read by those who know its address, and found by nobody. */
import { HttpError } from '../http/error.ts';
import type { KuboRpc } from './rpc.ts';

/** What is wrong with the daemon's settings, one line each. Nothing is wrong with a daemon that does not show them. */
export async function announcementWarnings(rpc: KuboRpc): Promise<string[]> {
  try {
    return warningsIn(asRecord(await rpc.config('Provide')), asRecord(await rpc.config('Routing')));
  } catch (error) {
    if (error instanceof HttpError && error.status !== undefined) return [];
    throw error;
  }
}

/** @param provide the value of Kubo's `Provide` setting @param routing that of `Routing` */
function warningsIn(provide: Readonly<Record<string, unknown>>, routing: Readonly<Record<string, unknown>>): string[] {
  if (provide.Enabled === false) return ['Provide.Enabled is off: nobody finds what it holds'];
  if (routing.Type === 'none') return ['Routing.Type is none: nobody finds what it holds'];
  const strategy = typeof provide.Strategy === 'string' && provide.Strategy !== '' ? provide.Strategy : 'all';
  const parts = strategy.split('+');
  // `roots` announces the roots of pins: the shards, and the roots that are pinned by themselves. With shards, `+entities` adds nothing to that.
  if (['all', 'pinned', 'roots'].some((part) => parts.includes(part))) return [];
  return [`Provide.Strategy "${strategy}" leaves pins out: nobody finds what it holds. Set "pinned+entities" or "pinned+unique"`];
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
