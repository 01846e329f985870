/** Which blocks those requests see that may read the same repositories: what these reach, and the manifests of shards all of whose blocks they see. */
import { Turns } from '../../core/event-loop.ts';
import { type BlockId, RAW } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import type { MirrorView, ServedRepository } from '../mirror.ts';
import type { Reach, WalkOptions } from './reach.ts';
import { Traces, traceOf } from './traces.ts';

export interface SightOptions {
  /** Those repositories of a view that the requests may read. */
  readonly readable: (view: MirrorView) => readonly ServedRepository[];
  /** What the repository of this name reaches, shared by all sights. */
  readonly reachOf: (name: string) => Reach;
}

export class Sight {
  readonly #options: SightOptions;
  /** Views of which it is known what can be seen, with the reaches that count there. */
  #known = new WeakMap<MirrorView, readonly Reach[]>();
  /** Nodes of manifests, in the shards that were found to be seen as a whole. */
  #manifests = new Traces();
  readonly #wholeShards = new Set<string>();
  #losses = '';
  #isStale = false;

  constructor(options: SightOptions) {
    this.#options = options;
  }

  /** Undefined while it is not known. */
  sees(view: MirrorView, digest: Uint8Array): boolean | undefined {
    const known = this.#known.get(view);
    const trace = traceOf(digest);
    for (const reach of known ?? this.#reachesIn(view)) if (reach.has(trace)) return true;
    if (this.#manifests.has(trace)) return true;
    return known === undefined ? undefined : false;
  }

  /** Whether there is nothing to find out of this view. */
  isKnown(view: MirrorView): boolean {
    return this.#known.has(view) && !this.#isStale;
  }

  /** Has it look again at what could not be read; until then what is known counts. */
  lookAgain(): void {
    this.#isStale = true;
  }

  /** Finds out what can be seen of a view. */
  async follow(view: MirrorView, options: WalkOptions): Promise<void> {
    this.#isStale = false;
    const repositories = this.#options.readable(view);
    const reaches = this.#reachesIn(view);
    for (const [at, repository] of repositories.entries()) {
      const reach = reaches[at] as Reach;
      if (!reach.isOf(repository)) await reach.follow(repository, options);
    }
    await this.#judgeShards(view, repositories, reaches, options);
    this.#known.set(view, reaches);
  }

  #reachesIn(view: MirrorView): readonly Reach[] {
    return this.#options.readable(view).map(({ name }) => this.#options.reachOf(name));
  }

  async #judgeShards(
    view: MirrorView,
    repositories: readonly ServedRepository[],
    reaches: readonly Reach[],
    options: WalkOptions,
  ): Promise<void> {
    const shards = shardsOf(view, repositories);
    const losses = repositories.map(({ name }, at) => `${(reaches[at] as Reach).losses} ${name}`).join('\n');
    if (losses !== this.#losses || [...this.#wholeShards].some((cid) => !shards.has(cid))) {
      // Blocks, shards or whole repositories are gone, and what was seen as a whole may not be any more.
      this.#losses = losses;
      this.#manifests = new Traces();
      this.#wholeShards.clear();
    }
    const isSeen = (digest: Uint8Array) => {
      const trace = traceOf(digest);
      return reaches.some((reach) => reach.has(trace));
    };
    for (const cid of shards) {
      if (this.#wholeShards.has(cid)) continue;
      const nodes = await seenManifest(cid, isSeen, options);
      if (nodes === undefined) continue;
      this.#wholeShards.add(cid);
      for (const node of nodes) this.#manifests.add(node);
    }
  }
}

/** CIDs of the shards and catalogues that the snapshots name. */
function shardsOf({ index }: MirrorView, repositories: readonly ServedRepository[]): ReadonlySet<string> {
  const numbers = new Set<number>();
  const cids = new Set<string>();
  for (const { snapshots } of repositories) {
    for (const { shards, catalogue } of snapshots) {
      cids.add(catalogue.cid);
      for (const number of shards) numbers.add(number);
    }
  }
  for (const number of numbers) {
    const shard = index.shard(number);
    if (shard !== undefined) cids.add(shard.cid);
  }
  return cids;
}

/** The nodes of a shard's manifest; undefined when one of the blocks that it lists is not seen, or the manifest cannot be read. */
async function seenManifest(
  cid: string,
  isSeen: (digest: Uint8Array) => boolean,
  { blocks, signal, onTrouble }: WalkOptions,
): Promise<readonly BlockId[] | undefined> {
  const turns = new Turns(signal);
  const nodes: BlockId[] = [];
  const waiting: BlockId[] = [parseCid(cid)];
  try {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      nodes.push({ codec: next.codec, digest: Uint8Array.from(next.digest) });
      for (const link of decodeNode(await blocks.read(next.digest)).links) {
        if (link.codec !== RAW) waiting.push(link);
        else if (!isSeen(link.digest)) return undefined;
      }
      await turns.give();
    }
  } catch (error) {
    signal.throwIfAborted();
    onTrouble(error);
    return undefined;
  }
  return nodes;
}
