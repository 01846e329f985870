/**
 * For tests: the fixtures of the gateway conformance suite, and what a gateway has to answer for them by the obvious slow model: nodes are
 * decoded by @ipld/dag-pb and ipfs-unixfs, and a name in a HAMT directory is searched for in all of its nodes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CarReader } from '@ipld/car';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import type { CID } from 'multiformats/cid';

const FOLDER = fileURLToPath(new URL('../../../fixtures/gateway', import.meta.url));

/** Those that are whole trees: `import-car` takes them. */
export const WHOLE_FIXTURES = [
  'raw-block',
  'dir-listing',
  'cache',
  'dir-with-duplicate-files',
  'percent-encoded-name',
  'symlink',
  'subdir-with-two-single-block-files',
  'subdir-with-mixed-block-files',
  'single-layer-hamt-with-multi-block-files',
] as const;

export const BROKEN_FIXTURES = ['dir-with-dag-cbor-with-links', 'file-3k-and-3-blocks-missing-block'] as const;

export type Fixture = (typeof WHOLE_FIXTURES)[number] | (typeof BROKEN_FIXTURES)[number];

export function fixtureCar(name: Fixture): string {
  return join(FOLDER, `${name}.car`);
}

/** An entry of a fixture. */
export interface FixtureEntry {
  /** Names from the root. */
  readonly names: readonly string[];
  readonly cid: CID;
  /** The CIDs of the root and of the entries on the way, this one last. */
  readonly roots: readonly CID[];
  /** The blocks on the way: directories and nodes of HAMT directories, without this entry's own. */
  readonly way: readonly CID[];
}

export interface FixtureBlock {
  readonly cid: CID;
  readonly bytes: Uint8Array;
}

export class FixtureDag {
  readonly name: Fixture;
  readonly root: CID;
  /** By the CID's text. */
  readonly blocks: ReadonlyMap<string, FixtureBlock>;

  private constructor(name: Fixture, root: CID, blocks: ReadonlyMap<string, FixtureBlock>) {
    this.name = name;
    this.root = root;
    this.blocks = blocks;
  }

  static async open(name: Fixture): Promise<FixtureDag> {
    const reader = await CarReader.fromBytes(readFileSync(fixtureCar(name)));
    const blocks = new Map<string, FixtureBlock>();
    for await (const block of reader.blocks()) blocks.set(block.cid.toString(), block);
    const [root] = await reader.getRoots();
    if (root === undefined) throw new Error(`${name} has no root`);
    return new FixtureDag(name, root, blocks);
  }

  bytes(cid: CID): Uint8Array {
    const block = this.blocks.get(cid.toString());
    if (block === undefined) throw new Error(`${cid} is not in ${this.name}`);
    return block.bytes;
  }

  /** Undefined for a raw leaf. */
  unixFs(cid: CID): UnixFS | undefined {
    return cid.code === dagPb.code ? UnixFS.unmarshal(dagPb.decode(this.bytes(cid)).Data ?? new Uint8Array(0)) : undefined;
  }

  isDirectory(cid: CID): boolean {
    return this.unixFs(cid)?.isDirectory() === true;
  }

  links(cid: CID): readonly dagPb.PBLink[] {
    return cid.code === dagPb.code ? dagPb.decode(this.bytes(cid)).Links : [];
  }

  /** All entries, depth first. */
  entries(): FixtureEntry[] {
    const all: FixtureEntry[] = [];
    const visit = (entry: FixtureEntry) => {
      all.push(entry);
      if (!this.isDirectory(entry.cid)) return;
      for (const { name, cid, way } of this.#children(entry.cid, [entry.cid])) {
        const below = { names: [...entry.names, name], cid, roots: [...entry.roots, cid], way: [...entry.way, ...way] };
        visit(below);
      }
    };
    visit({ names: [], cid: this.root, roots: [this.root], way: [] });
    return all;
  }

  #children(node: CID, way: readonly CID[]): { name: string; cid: CID; way: readonly CID[] }[] {
    const isHamt = this.unixFs(node)?.type === 'hamt-sharded-directory';
    return this.links(node).flatMap(({ Name = '', Hash }) => {
      if (!isHamt) return [{ name: Name, cid: Hash, way }];
      return Name.length === 2 ? this.#children(Hash, [...way, Hash]) : [{ name: Name.slice(2), cid: Hash, way }];
    });
  }

  /** Every block from here down, depth first, as often as it is linked. */
  descent(cid: CID): CID[] {
    return [cid, ...this.links(cid).flatMap(({ Hash }) => this.descent(Hash))];
  }

  /** The blocks of the entry itself: of a HAMT directory its nodes, of a file all blocks from `from` to `to` (both included). */
  entity(cid: CID, from = 0, to = Number.POSITIVE_INFINITY): CID[] {
    const unixFs = this.unixFs(cid);
    if (unixFs?.type === 'hamt-sharded-directory')
      return [cid, ...this.links(cid).flatMap(({ Name = '', Hash }) => (Name.length === 2 ? this.entity(Hash) : []))];
    return unixFs?.type === 'file' ? this.#fileBlocks(cid, from, to) : [cid];
  }

  #fileBlocks(cid: CID, from: number, to: number): CID[] {
    let at = 0;
    const below: CID[] = [];
    for (const { Hash } of this.links(cid)) {
      const size = this.contents(Hash).length;
      if (at <= to && at + size > from) below.push(...this.#fileBlocks(Hash, from - at, to - at));
      at += size;
    }
    return [cid, ...below];
  }

  contents(cid: CID): Buffer {
    const unixFs = this.unixFs(cid);
    if (unixFs === undefined) return Buffer.from(this.bytes(cid));
    return Buffer.concat([unixFs.data ?? Buffer.alloc(0), ...this.links(cid).map(({ Hash }) => this.contents(Hash))]);
  }
}

/** Finds blocks of any of these by their digests. */
export function blocksOf(dags: readonly FixtureDag[]): (digest: Uint8Array) => Uint8Array | undefined {
  const blocks = new Map<string, Uint8Array>();
  for (const dag of dags) for (const { cid, bytes } of dag.blocks.values()) blocks.set(hex(cid.multihash.digest), bytes);
  return (digest) => blocks.get(hex(digest));
}

function hex(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}

/** The CIDs of a CAR, as they come. */
export async function cidsIn(car: Uint8Array): Promise<string[]> {
  const cids: string[] = [];
  for await (const { cid } of (await CarReader.fromBytes(car)).blocks()) cids.push(cid.toString());
  return cids;
}

/** The path of an entry, as it stands in an address. */
export function urlOf({ names }: Pick<FixtureEntry, 'names'>, root: CID): string {
  return ['/ipfs', root.toString(), ...names.map(encodeURIComponent)].join('/');
}
