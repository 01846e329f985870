/** For laws of damage: a home with two snapshots on local peers, harm done to the files of these, and what is left then, told the slow way. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { ShardctlError } from '../core/errors.ts';
import type { Summary } from '../core/events.ts';
import { parseCid } from '../dag/cid.ts';
import type { Index } from '../index/index.ts';
import { type Repaired, repair } from '../maintain/repair/repair.ts';
import { isIntact } from '../peer/intact-shard.ts';
import type { PeerLayout } from '../peer/local/directory/identity.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { placedBlocks } from '../read/blocks/placed-blocks.ts';
import { dataOf } from '../read/tree/file-data.ts';
import { resolve } from '../read/tree/tree.ts';
import { get } from '../restore/get.ts';
import { pruneRun, snapshotsOf, withIndex } from './retention.ts';
import { TestHome } from './run.ts';

const SHARD_BYTES = 12 * 1024;

/** What is done to one file of a peer; numbers choose which, and where, by remainders. */
export interface Harm {
  readonly kind: 'flip' | 'cut' | 'delete';
  readonly file: number;
  readonly at: number;
  readonly bit: number;
}

export function harms(...kinds: readonly Harm['kind'][]): fc.Arbitrary<Harm> {
  const number = fc.nat(1_000_000);
  return fc.record({ kind: fc.constantFrom(...kinds), file: number, at: number, bit: fc.nat(7) });
}

/** A block, and the peers that hold a shard of it. */
interface Needed {
  readonly block: Buffer;
  readonly peers: readonly string[];
}

/** A home that is made once, and copied for each case. */
export class DamagedHome {
  readonly dir: string;
  /** Shared by all copies: its times are in the tree, and no copy keeps all their digits. */
  readonly source: string;
  readonly layout: PeerLayout;
  readonly replicas: number;
  readonly #peers: readonly string[];
  /** What came back before any harm was done, and which blocks each file needs, by snapshot and path. */
  whole: ReadonlyMap<string, string> = new Map();
  #needs: ReadonlyMap<string, readonly Needed[]> = new Map();
  #catalogues: readonly string[] = [];
  home: TestHome;

  static async make(layout: PeerLayout, peers: readonly string[], replicas: number): Promise<DamagedHome> {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-damaged-'));
    const source = mkdtempSync(join(tmpdir(), 'shardctl-source-'));
    mkdirSync(join(source, 'sub'), { recursive: true });
    for (let i = 0; i < 10; i++) writeFileSync(join(source, i < 6 ? `f${i}` : `sub/g${i}`), noise(i, 40 + 700 * i));
    const created = await TestHome.create(Object.fromEntries(peers.map((name) => [name, {}])), layout);
    cpSync(created.dir, join(dir, 'home'), { recursive: true });
    created.remove();
    const made = new DamagedHome(dir, source, layout, peers, replicas);
    await made.add();
    writeFileSync(join(source, 'f5'), noise(100, 3000));
    await made.add();
    made.whole = await made.readable();
    await made.#noteNeeds();
    return made;
  }

  private constructor(dir: string, source: string, layout: PeerLayout, peers: readonly string[], replicas: number) {
    this.dir = dir;
    this.source = source;
    this.layout = layout;
    this.replicas = replicas;
    this.#peers = peers;
    this.home = this.reopened();
  }

  copy(): DamagedHome {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-damaged-'));
    cpSync(this.dir, dir, { recursive: true });
    const copy = new DamagedHome(dir, this.source, this.layout, this.#peers, this.replicas);
    copy.whole = this.whole;
    copy.#needs = this.#needs;
    copy.#catalogues = this.#catalogues;
    return copy;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** As a new run finds it. */
  reopened(): TestHome {
    this.home = TestHome.at(join(this.dir, 'home'), this.#peers, this.layout);
    return this.home;
  }

  async add(): Promise<Summary> {
    const replication = { min: this.replicas, max: this.replicas };
    return (await this.reopened().add(this.source, { shardBytes: SHARD_BYTES, replication })).summary;
  }

  repair(options: { readData?: boolean; dryRun?: boolean } = {}): Promise<Repaired> {
    const home = this.reopened();
    const replication = { min: this.replicas, max: this.replicas };
    return withIndex(home, (index) => repair({ ...pruneRun(home, index, { replication }), readData: true, dryRun: false, ...options }));
  }

  /** Files of the peers that say something of what these hold. */
  files(): string[] {
    const peers = join(this.dir, 'home', 'peers');
    const names = readdirSync(peers, { recursive: true }) as string[];
    const isHeld = (name: string) => /\/(shards|blocks|pins)\/|\/peer\.json$/.test(name) && statSync(join(peers, name)).isFile();
    return names
      .filter(isHeld)
      .sort()
      .map((name) => join(peers, name));
  }

  /** @returns the file that was harmed */
  harm({ kind, file, at, bit }: Harm): string {
    const files = this.files().filter((path) => kind !== 'delete' || !path.endsWith('peer.json'));
    const path = files[file % files.length] as string;
    const bytes = readFileSync(path);
    if (kind === 'delete') rmSync(path);
    else if (bytes.length === 0) return path;
    // Without its last newline, `peer.json` says the same.
    else if (kind === 'cut') truncateSync(path, at % Math.max(1, bytes.length - (path.endsWith('peer.json') ? 1 : 0)));
    else {
      bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ (1 << bit);
      writeFileSync(path, bytes);
    }
    return path;
  }

  /** Files all of whose blocks stand somewhere on the peers that hold their shards, told by looking for their bytes. */
  unhit(): string[] {
    const held = this.files()
      .filter((path) => !this.#catalogues.some((cid) => path.includes(cid)))
      .map((path) => ({ path, bytes: readFileSync(path) }));
    const isOn = (peer: string, block: Buffer) => held.some(({ path, bytes }) => path.includes(`/peers/${peer}/`) && bytes.includes(block));
    const isThere = ({ block, peers }: Needed) => peers.some((peer) => isOn(peer, block));
    return [...this.#needs].filter(([, blocks]) => blocks.every(isThere)).map(([path]) => path);
  }

  async #noteNeeds(): Promise<void> {
    const home = this.reopened();
    const needs = new Map<string, Needed[]>();
    await withIndex(home, async (index) => {
      const blocks = placedBlocks(index, home.peers);
      for (const path of this.whole.keys()) {
        const [tree, name] = path.split(' ') as [string, string];
        const needed: Needed[] = [];
        const noting: Blocks = {
          read: async (digest) => {
            const block = Buffer.from(await blocks.read(digest));
            needed.push({ block, peers: holdersOf(index, digest) });
            return block;
          },
        };
        for await (const _ of dataOf(await resolve(parseCid(tree), name, noting), noting));
        needs.set(path, needed);
      }
      await blocks.close();
      this.#catalogues = snapshotsOf(index).map(({ catalogue }) => catalogue.cid);
    });
    this.#needs = needs;
  }

  /** Every file of every snapshot that comes back, by snapshot and path. */
  async readable(): Promise<Map<string, string>> {
    const home = this.reopened();
    const found = new Map<string, string>();
    await withIndex(home, async (index) => {
      for (const { number, tree } of snapshotsOf(index)) {
        const out = mkdtempSync(join(this.dir, 'out-'));
        const blocks = placedBlocks(index, home.peers);
        const signal = new AbortController().signal;
        try {
          await get({ root: parseCid(tree), path: '', out, blocks, emit: () => {}, signal });
        } catch (error) {
          assert.ok(error instanceof ShardctlError, String(error));
        } finally {
          await blocks.close();
        }
        for (const name of readdirSync(out, { recursive: true }) as string[]) {
          if (statSync(join(out, name)).isFile()) found.set(`${tree} ${name}`, readFileSync(join(out, name), 'latin1'));
        }
        assert.ok(number > 0);
        rmSync(out, { recursive: true });
      }
    });
    return found;
  }

  /** Whole replicas of each shard and catalogue, read to their ends. */
  async replicasOf(): Promise<Map<string, number>> {
    const home = this.reopened();
    const whole = new Map<string, number>();
    await withIndex(home, async (index) => {
      const named = new Set(snapshotsOf(index).flatMap(({ shards }) => shards));
      const shards = [...named].flatMap((number) => index.shard(number)?.cid ?? []);
      for (const cid of [...shards, ...snapshotsOf(index).map(({ catalogue }) => catalogue.cid)]) {
        let count = 0;
        for (const peer of home.peers.values()) if (await isIntact(() => peer.open(cid)).catch(() => false)) count++;
        whole.set(cid, count);
      }
    });
    return whole;
  }
}

/** Bytes that occur nowhere else. */
function noise(seed: number, length: number): Buffer {
  let state = seed * 2_654_435_761 + 12_345;
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    }),
  );
}

/** Of all shards that have the block. A catalogue may have it, too, and nobody looks there: on a peer whose shards share their blocks it is one more copy. */
function holdersOf(index: Index, digest: Uint8Array): string[] {
  const peers = new Set<string>();
  index.shardOf(digest, 0, (number) => {
    for (const name of index.shard(number)?.peers ?? []) peers.add(name);
    return false;
  });
  return [...peers];
}
