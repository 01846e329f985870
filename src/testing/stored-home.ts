/** For tests of what is read from a stored home: one that is made once, opened as a copy for each test, and what is in it, told the slow way. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIGEST_BYTES } from '../core/model.ts';
import { Index } from '../index/index.ts';
import type { PeerLayout } from '../peer/local/directory/identity.ts';
import { peerNamed } from '../peer/peer.ts';
import { CarLayout } from '../read/stored/car-layout.ts';
import { Replicas } from '../read/stored/replicas.ts';
import { StoredBlocks } from '../read/stored/stored-blocks.ts';
import { SHARD_BYTES } from './retention.ts';
import { TestHome } from './run.ts';

/** More than a node of a manifest links, so that there are nodes between root and leaves. */
export const MANY = 1_500;

/** What a test has of a home that is open. */
export interface OpenedHome {
  readonly home: TestHome;
  readonly index: Index;
  readonly replicas: Replicas;
  readonly blocks: StoredBlocks;
  /** What was told, a message each. */
  readonly trouble: readonly string[];
  /** Directory of the caches. */
  readonly cache: string;
}

/** A block or a node of a manifest, in a shard or catalogue of this CID. */
export interface HeldBlock {
  readonly digest: Uint8Array;
  readonly cid: string;
  readonly length: number;
}

/** A home with two snapshots, each shard on all of its peers. */
export class StoredHome {
  readonly source: string;
  readonly #home: TestHome;
  readonly #layout: PeerLayout;

  /** @param files small ones, a block each */
  static async make(peers: readonly string[], layout: PeerLayout = 'car', files = MANY): Promise<StoredHome> {
    const source = mkdtempSync(join(tmpdir(), 'shardctl-source-'));
    mkdirSync(join(source, 'many'));
    for (let i = 0; i < files; i++) writeFileSync(join(source, 'many', `${i}`), `file ${i}`);
    for (let i = 0; i < 8; i++) writeFileSync(join(source, `large${i}`), Buffer.alloc(90_000, `large ${i} `));
    const home = await TestHome.create(Object.fromEntries(peers.map((name) => [name, {}])), layout);
    const options = { replication: { min: peers.length, max: peers.length }, shardBytes: 4 * SHARD_BYTES };
    await home.add(source, options);
    writeFileSync(join(source, 'new'), 'a file of the second snapshot');
    await home.add(source, options);
    return new StoredHome(home, source, layout);
  }

  private constructor(home: TestHome, source: string, layout: PeerLayout) {
    this.#home = home;
    this.source = source;
    this.#layout = layout;
  }

  /** Opens a copy of the home, which the test may damage. */
  async opened(work: (opened: OpenedHome) => Promise<void>): Promise<void> {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-stored-'));
    cpSync(this.#home.dir, dir, { recursive: true });
    const home = TestHome.at(dir, [...this.#home.peers.keys()], this.#layout);
    const trouble: string[] = [];
    const cache = join(dir, 'cache');
    const index = await Index.open(join(dir, 'index'), { readOnly: true });
    const replicas = new Replicas({ peers: home.peers, cache, onTrouble: (message) => trouble.push(message) });
    const blocks = new StoredBlocks({ index, replicas });
    try {
      await work({ index, replicas, blocks, trouble, home, cache });
    } finally {
      await blocks.close();
      await replicas.close();
      await index.close();
      home.remove();
    }
  }

  remove(): void {
    this.#home.remove();
    rmSync(this.source, { recursive: true, force: true });
  }
}

/** Everything that is in the shards and catalogues of all snapshots, with the nodes of their manifests. */
export async function everythingIn({ index, home }: Pick<OpenedHome, 'index' | 'home'>): Promise<HeldBlock[]> {
  const held: HeldBlock[] = [];
  const holdings = index.snapshots('test').flatMap(({ shards, catalogue }) => [...shards.map((number) => index.shard(number)), catalogue]);
  const [first = ''] = home.peers.keys();
  for (const cid of new Set(holdings.flatMap((holding) => holding?.cid ?? []))) {
    const reader = await peerNamed(home.peers, first).open(cid);
    const layout = await CarLayout.of(cid, reader.contents());
    for (let section = 0; section < layout.sections; section++)
      held.push({ digest: Buffer.from(layout.digestOf(section)), cid, length: layout.lengthOf(section) });
    await reader.close();
  }
  return held;
}

/** Where a local peer of layout `car` keeps a shard. */
export function carPath(home: { readonly dir: string }, peer: string, cid: string): string {
  return join(home.dir, 'peers', peer, 'shards', cid.slice(-3, -1), `${cid}.car`);
}

/** Changes a byte of the block in this CAR. */
export function damageBlock(path: string, digest: Uint8Array): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(digest) + DIGEST_BYTES;
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

export async function joined(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  // A piece is valid until the next one is asked for.
  for await (const piece of pieces) all.push(Buffer.from(piece));
  return Buffer.concat(all);
}
