/** What a campaign knows of a home: its peers, its repositories, and each snapshot that it has to keep. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frozen, Source } from './source.ts';
import type { Outcome, World } from './world.ts';

export const REPLICAS = 2;
/** The repository of what came as CARs. */
export const CARRIED = 'carried';
const CAPACITY = ['--capacity', '1GB'];

export interface Repository {
  readonly name: string;
  /** One that came as a CAR has none. */
  readonly source: Source | undefined;
  /** How many it was told to have. */
  replicas: number;
  /** By number: what is retained. */
  readonly kept: Map<number, Frozen>;
}

export interface Mirror extends Repository {
  readonly source: Source;
}

export class Home {
  readonly name: string;
  dir: string;
  /** Names of those in its settings. */
  readonly peers = new Set<string>();
  /** By name. */
  readonly repositories = new Map<string, Repository>();
  /** It has lost its index, and may have marked what it does not know any more. */
  isForgetful = false;
  readonly #world: World;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.dir = join(world.dir, 'homes', name);
  }

  async addPeer(name: string, layout: 'car' | 'blockstore'): Promise<void> {
    await this.#world.run(this, [0], ['peers', 'add', 'local', this.#world.peerDir(name), '--name', name, '--layout', layout, ...CAPACITY]);
    this.peers.add(name);
  }

  /** What it is called on its peers. */
  get id(): string {
    return (JSON.parse(readFileSync(join(this.dir, 'home.json'), 'utf8')) as { id: string }).id;
  }

  /** Those that have a source. */
  get mirrors(): Mirror[] {
    return [...this.repositories.values()].filter((repository): repository is Mirror => repository.source !== undefined);
  }

  /** The command that makes the repository, and that brings a recovered one back to its settings. */
  addCommand({ name, source, replicas }: Mirror): string[] {
    return [
      'add',
      source.dir,
      '--name',
      name,
      '--replication',
      `${replicas}`,
      '--shard-size',
      this.#world.shardSize,
      ...source.flags,
      '--max-delete',
      'none',
    ];
  }

  updateCommand({ name }: Repository): string[] {
    return ['update', name, '--shard-size', this.#world.shardSize, '--max-delete', 'none'];
  }

  importCommand(car: string): string[] {
    return ['import-car', car, '--name', CARRIED, '--replication', `${REPLICAS}`, '--shard-size', this.#world.shardSize];
  }

  /** Takes down what an `add` or `update` says that it has committed. @param frozen the source as it is */
  committed(repository: Repository, frozen: Frozen, outcome: Outcome): void {
    const summary = outcome.events.find(
      ({ type, repository: of }) => (type === 'summary' || type === 'imported-car') && of === repository.name,
    );
    if (summary === undefined) throw new Error(`${repository.name} in home ${this.name}: no summary`);
    const { number, tree } = summary as { number: number; tree: string };
    if (tree !== frozen.tree)
      throw new Error(`${repository.name}@${number} in home ${this.name} has root ${tree}, its source ${frozen.tree}`);
    this.#keep(repository, number, frozen);
  }

  /**
   * Compares what the home lists with what it must keep.
   * @param maybe what a run that was killed may have committed, or else may have forgotten, by repository
   */
  async reconcile(
    maybe: { readonly committed?: ReadonlyMap<string, Frozen>; readonly forgotten?: ReadonlyMap<string, ReadonlySet<number>> } = {},
  ): Promise<void> {
    const { events } = await this.#world.run(this, [0], ['snapshots']);
    const listed = events.filter(({ type }) => type === 'snapshot') as unknown as { repository: string; number: number; tree: string }[];
    for (const repository of this.repositories.values()) {
      const here = new Map(listed.filter((one) => one.repository === repository.name).map(({ number, tree }) => [number, tree]));
      const mayGo = maybe.forgotten?.get(repository.name);
      for (const [number, { tree }] of repository.kept) {
        const found = here.get(number);
        here.delete(number);
        if (found === tree) continue;
        if (found === undefined && mayGo?.has(number)) repository.kept.delete(number);
        else throw new Error(`${repository.name}@${number} in home ${this.name} is ${found ?? 'gone'}, and should be ${tree}`);
      }
      const mayCome = maybe.committed?.get(repository.name);
      for (const [number, tree] of here) {
        if (tree !== mayCome?.tree) throw new Error(`${repository.name}@${number} in home ${this.name}: nobody made this snapshot`);
        this.#keep(repository, number, mayCome);
      }
    }
  }

  /** Takes down what a recovered repository has. @returns the numbers of those that are not among `known` */
  async takeListed({ name, kept }: Repository, known: ReadonlyMap<string, Frozen>): Promise<number[]> {
    const { events } = await this.#world.run(this, [0], ['snapshots', name]);
    const listed = events.filter(({ type }) => type === 'snapshot') as unknown as { number: number; tree: string }[];
    for (const { number, tree } of listed) {
      const frozen = known.get(tree);
      if (frozen !== undefined) kept.set(number, frozen);
    }
    return listed.map(({ number }) => number).filter((number) => !kept.has(number));
  }

  #keep({ name, kept }: Repository, number: number, frozen: Frozen): void {
    const before = kept.get(number);
    if (before !== undefined && before.tree !== frozen.tree)
      throw new Error(`${name}@${number} in home ${this.name} was ${before.tree} and is ${frozen.tree} now`);
    const newest = Math.max(0, ...kept.keys());
    if (before === undefined && number <= newest) throw new Error(`${name}@${number} in home ${this.name} comes after @${newest}`);
    kept.set(number, frozen);
  }
}
