/** Opens the home that is served, and opens it again when a run has changed it. */
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { StoredBlocks } from '../../read/stored/stored-blocks.ts';
import type { Mirror, MirrorView, ServedRepository } from '../mirror.ts';

export interface ServedHomeOptions {
  readonly openIndex: () => Promise<Index>;
  readonly peers: ReadonlyMap<string, Peer>;
  /** Names of the repositories that are served; all when empty. */
  readonly names: readonly string[];
  readonly onTrouble: (message: string, cause: string) => void;
}

export class ServedHome implements Mirror {
  #view: MirrorView;

  static async open(options: ServedHomeOptions): Promise<ServedHome> {
    return new ServedHome(await viewOf(options));
  }

  private constructor(view: MirrorView) {
    this.#view = view;
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
  }
}

async function viewOf({ openIndex, peers, names, onTrouble }: ServedHomeOptions): Promise<MirrorView> {
  const index = await openIndex();
  const repositories = new Map<string, ServedRepository>();
  for (const { name, head } of index.repositories()) {
    const newest = index.snapshot(name, head);
    if (newest === undefined || (names.length > 0 && !names.includes(name))) continue;
    repositories.set(name, { name, head: newest, snapshots: index.snapshots(name) });
  }
  return { repositories, index, peers, blocks: new StoredBlocks({ index, peers, onTrouble }) };
}
