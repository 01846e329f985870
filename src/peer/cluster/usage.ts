/** Bytes of the shards on each member. The Cluster does not count them, so the metadata of each pin have the size of its shard. */

import type { ClusterApi } from './api.ts';
import type { Pin } from './api-answers.ts';

const BYTES = 'shardctl-bytes';

/** Metadata of a shard's pin. @param carBytes what it takes on a member */
export function sizeMetadata(carBytes: number): Record<string, string> {
  return { [BYTES]: String(carBytes) };
}

export class Usage {
  readonly #api: ClusterApi;
  /** By member ID; under `everywhere` the bytes that every member has. Read once, and kept up to date from then on. */
  #bytes: Promise<Map<string, number>> | undefined;

  constructor(api: ClusterApi) {
    this.#api = api;
  }

  /** Bytes of shards on a member, whoever put them there. */
  async of(id: string): Promise<number> {
    const bytes = await this.#load();
    return (bytes.get(id) ?? 0) + (bytes.get(EVERYWHERE) ?? 0);
  }

  /** Bytes of all shards, each counted once for each member that has it. */
  async total(members: number): Promise<number> {
    let sum = 0;
    for (const [id, bytes] of await this.#load()) sum += id === EVERYWHERE ? bytes * members : bytes;
    return sum;
  }

  /** Notes a change of a pin. @param before the pin as it was @param after the pin as it is; undefined when there is none */
  async changed(
    before: Pick<Pin, 'allocations' | 'metadata'> | undefined,
    after: Pick<Pin, 'allocations' | 'metadata'> | undefined,
  ): Promise<void> {
    if (this.#bytes === undefined) return;
    const bytes = await this.#bytes;
    if (before !== undefined) count(bytes, before, -1);
    if (after !== undefined) count(bytes, after, 1);
  }

  #load(): Promise<Map<string, number>> {
    this.#bytes ??= (async () => {
      const bytes = new Map<string, number>();
      for await (const pin of this.#api.pins()) count(bytes, pin, 1);
      return bytes;
    })();
    this.#bytes.catch(() => {
      this.#bytes = undefined;
    });
    return this.#bytes;
  }
}

const EVERYWHERE = 'everywhere';

function count(bytes: Map<string, number>, { allocations, metadata }: Pick<Pin, 'allocations' | 'metadata'>, sign: 1 | -1): void {
  const size = Number(metadata[BYTES] ?? 0);
  if (!Number.isSafeInteger(size) || size < 0) return;
  for (const id of allocations.length === 0 ? [EVERYWHERE] : allocations) bytes.set(id, (bytes.get(id) ?? 0) + sign * size);
}
