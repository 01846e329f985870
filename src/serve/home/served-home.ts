/** Opens the home that is served, and opens it again when a run has changed it. */
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { Replicas } from '../../read/stored/replicas.ts';
import { StoredBlocks } from '../../read/stored/stored-blocks.ts';
import type { Mirror, MirrorView, ServedRepository } from '../mirror.ts';

export interface ServedHomeOptions {
  readonly openIndex: () => Promise<Index>;
  readonly peers: ReadonlyMap<string, Peer>;
  /** Names of the repositories that are served; all when empty. */
  readonly names: readonly string[];
  /** Directory for what is computed once of each shard. */
  readonly cache: string;
  readonly onTrouble: (message: string, cause: string) => void;
}

export class ServedHome implements Mirror {
  #view: MirrorView;
  readonly #replicas: Replicas;

  static async open(options: ServedHomeOptions): Promise<ServedHome> {
    const replicas = new Replicas(options);
    return new ServedHome(await viewOf(options, replicas), replicas);
  }

  private constructor(view: MirrorView, replicas: Replicas) {
    this.#view = view;
    this.#replicas = replicas;
  }

  acquire(): MirrorView {
    return this.#view;
  }

  release(_view: MirrorView): void {}

  onChange(_listener: (view: MirrorView) => void): () => void {
    return () => {};
  }

  async close(): Promise<void> {
    await this.#view.blocks.close();
    await this.#view.index.close();
    await this.#replicas.close();
  }
}

async function viewOf({ openIndex, peers, names }: ServedHomeOptions, replicas: Replicas): Promise<MirrorView> {
  const index = await openIndex();
  const repositories = new Map<string, ServedRepository>();
  for (const { name, head } of index.repositories()) {
    const newest = index.snapshot(name, head);
    if (newest === undefined || (names.length > 0 && !names.includes(name))) continue;
    repositories.set(name, { name, head: newest, snapshots: index.snapshots(name) });
  }
  return { repositories, index, peers, blocks: new StoredBlocks({ index, replicas }) };
}
