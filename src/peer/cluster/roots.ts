/**
 * The roots that strangers look for, each pinned by itself. They are two small blocks, so every member has them, also one that
 * joins later; the pin says in its metadata which repositories want it, because two of them may have the same tree.
 */
import type { Pin } from './answers.ts';
import type { ClusterApi, PinOptions } from './api.ts';
import type { Turns } from './turns.ts';

const WANTED_BY = 'shardctl-root-';

export function isRoot(metadata: Readonly<Record<string, string>>): boolean {
  return Object.keys(metadata).some((key) => key.startsWith(WANTED_BY));
}

/** Has the Cluster pin these roots for the repository, and no others. Whether a member has them shows in their status. */
export async function pinRoots(api: ClusterApi, turns: Turns, repository: string, cids: readonly string[]): Promise<void> {
  const key = `${WANTED_BY}${repository}`;
  const old: Pin[] = [];
  for await (const pin of api.pins()) if (key in pin.metadata && !cids.includes(pin.cid)) old.push(pin);
  for (const cid of cids) {
    await turns.take(cid, async () => {
      const pin = await api.pin(cid);
      // Pinned with all that is below it, by somebody: more than is asked for here.
      if (pin !== undefined && (pin.mode !== 'direct' || key in pin.metadata)) return;
      await api.pinDirect(cid, optionsOf({ ...pin?.metadata, [key]: repository }));
    });
  }
  for (const { cid } of old) {
    await turns.take(cid, async () => {
      const pin = await api.pin(cid);
      if (pin === undefined || pin.mode !== 'direct') return;
      const { [key]: _, ...others } = pin.metadata;
      if (isRoot(others)) await api.pinDirect(cid, optionsOf(others));
      else await api.unpin(cid);
    });
  }
}

function optionsOf(metadata: Readonly<Record<string, string>>): PinOptions {
  const repositories = Object.entries(metadata).flatMap(([key, value]) => (key.startsWith(WANTED_BY) ? [value] : []));
  return { name: `root of ${repositories.sort().join(', ')}`.slice(0, 200), metadata, members: 'everywhere' };
}
