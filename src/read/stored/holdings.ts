/**
 * The shards and catalogues of a home by the blocks that the block table does not have: their roots, the nodes of their manifests, and all
 * blocks of catalogues. Roots stand in the records. For the others one node of each shard has to be read, its root: that is done once, in
 * the background, when somebody asks for a block that nothing knows; from then on such a question is answered at once.
 *
 * Holds 44 bytes for each root and each node, that is for each 256 blocks of a shard of more than 256; for each catalogue its record
 * and 44 bytes a block; and for each view that is in use the numbers that lead there.
 */
import { closeSync, readSync } from 'node:fs';
import { BoundedQueue } from '../../core/bounded-queue.ts';
import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import { DAG_PB, DIGEST_BYTES, type PlacedShard, RAW } from '../../core/model.ts';
import { openRegularSync } from '../../core/regular-files.ts';
import { hashesTo, parseCid } from '../../dag/cid.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import type { Index } from '../../index/index.ts';
import { MANIFEST_LINKS } from '../../shard/manifest.ts';
import type { ReplicaPlace, Replicas } from './replicas.ts';

const TURN_MS = 5;
/** A node of 1,024 links, as older shards have them, has fewer bytes. */
const NODE_BYTES = 64 * 1024;
const READS_AT_ONCE = 8;
/** So long whoever asks for an unknown block waits for the look through all roots; then the answer is that it is not here. */
const WAIT_MS = 2_000;
/** Roots that could not be read are tried again after so long. */
const AGAIN_MS = 60_000;

/** Where a block was found: the number of a shard, or a catalogue. */
export type Holding = number | PlacedShard;

export class Holdings {
  readonly #index: Index;
  readonly #replicas: Replicas;
  /** Digest → number of a shard, or −1 − position of a catalogue. */
  readonly #roots = new DigestMap();
  readonly #nodes = new DigestMap();
  readonly #catalogues: PlacedShard[] = [];
  #built: Promise<void> | undefined;
  #isBuilt = false;
  #looked: Promise<void> | undefined;
  /** The look through all roots is over, or takes longer than anybody should wait. */
  #isLooked = false;
  #failedAt: number | undefined;
  #isClosed = false;

  constructor(index: Index, replicas: Replicas) {
    this.#index = index;
    this.#replicas = replicas;
  }

  /** Undefined when it is none of them, or is not known yet: `isSure` says which. */
  findNow(digest: Uint8Array): Holding | undefined {
    const found = this.#roots.get(digest) ?? this.#nodes.get(digest);
    return found === undefined || found >= 0 ? found : this.#catalogues[-1 - found];
  }

  get isSure(): boolean {
    return this.#isLooked && (this.#failedAt === undefined || performance.now() < this.#failedAt + AGAIN_MS);
  }

  async find(digest: Uint8Array): Promise<Holding | undefined> {
    if (!this.#isBuilt) await this.#build();
    const found = this.findNow(digest);
    if (found !== undefined || this.isSure) return found;
    await this.#look();
    return this.findNow(digest);
  }

  /** A shard or catalogue by its own CID. */
  async byCid(cid: string): Promise<Holding | undefined> {
    await this.#build();
    const found = this.#roots.get(parseCid(cid).digest);
    const holding = found === undefined || found >= 0 ? found : this.#catalogues[-1 - found];
    const its = typeof holding === 'number' ? this.#index.shard(holding)?.cid : holding?.cid;
    return its === cid ? holding : undefined;
  }

  /** The index may be closed afterwards: a look that is under way does not ask it any more. */
  close(): void {
    this.#isClosed = true;
  }

  #build(): Promise<void> {
    this.#built ??= this.#readRecords();
    return this.#built;
  }

  async #readRecords(): Promise<void> {
    const turns = new Turns(undefined, TURN_MS);
    const cids = new Set<string>();
    for (const { number, cid, state } of [...this.#index.shards()]) {
      if (state === 'sealed') continue;
      cids.add(cid);
      this.#roots.add(parseCid(cid).digest, 0, number);
      await turns.give();
    }
    if (this.#isClosed) return;
    for (const { name } of this.#index.repositories()) {
      for (const { catalogue, cid, tree } of this.#index.snapshots(name)) {
        const value = -this.#catalogues.push(catalogue);
        cids.add(catalogue.cid);
        for (const block of [catalogue.cid, cid, tree]) this.#roots.add(parseCid(block).digest, 0, value);
      }
      await turns.give();
      if (this.#isClosed) return;
    }
    for (const cid of this.#replicas.nodes.keys()) if (!cids.has(cid)) this.#replicas.nodes.delete(cid);
    void this.#replicas.offsets.sweep((cid) => cids.has(cid));
    this.#isBuilt = true;
  }

  async #look(): Promise<void> {
    if (this.#isLooked && this.#looked === undefined) {
      // Some roots could not be read, and may be readable now. Nobody waits for that.
      this.#start().catch(() => {});
      return;
    }
    if (this.#isLooked) return;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, WAIT_MS);
    });
    await Promise.race([this.#start(), patience]);
    clearTimeout(timer);
    this.#isLooked = true;
  }

  #start(): Promise<void> {
    this.#looked ??= this.#readRoots().finally(() => {
      this.#looked = undefined;
      this.#isLooked = true;
    });
    return this.#looked;
  }

  async #readRoots(): Promise<void> {
    const queue = new BoundedQueue(READS_AT_ONCE, 2 * READS_AT_ONCE);
    const turns = new Turns(undefined, TURN_MS);
    this.#failedAt = undefined;
    const learn = async (shard: PlacedShard, value: number) => {
      await turns.give();
      if (this.#isClosed) return;
      const nodes = this.#replicas.nodes.get(shard.cid);
      if (nodes !== undefined) this.#add(nodes, value);
      else
        await queue.add(async () => {
          const read = await this.#nodesOf(shard, value < 0).catch((error: unknown) => {
            if (!(error instanceof ShardctlError)) throw error;
            this.#failedAt = performance.now();
          });
          if (read === undefined) return;
          this.#replicas.nodes.set(shard.cid, read);
          this.#add(read, value);
        });
    };
    for (const number of [...this.#roots.values()].filter((value) => value >= 0)) {
      const shard = this.#isClosed ? undefined : this.#index.shard(number);
      if (shard !== undefined && shard.blocks > MANIFEST_LINKS) await learn(shard, number);
    }
    for (const [position, catalogue] of this.#catalogues.entries()) await learn(catalogue, -1 - position);
    await queue.drained();
  }

  #add(digests: Buffer, value: number): void {
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) this.#nodes.add(digests, at, value);
  }

  /** Digests of the nodes below the root, and of a catalogue's blocks. @throws ShardctlError when a node cannot be read */
  async #nodesOf(shard: PlacedShard, isCatalogue: boolean): Promise<Buffer> {
    const digests: Uint8Array[] = [];
    const isDeep = isCatalogue || shard.blocks > MANIFEST_LINKS * MANIFEST_LINKS;
    const walk = (node: Uint8Array): Uint8Array[] => {
      const { links } = decodeNode(node);
      for (const { codec, digest } of links) if (codec === DAG_PB || isCatalogue) digests.push(digest);
      return links.filter(({ codec }) => codec !== RAW).map(({ digest }) => digest);
    };
    const root = parseCid(shard.cid).digest;
    const below = walk((await this.#rootAtEnd(shard, root)) ?? (await this.#replicas.need(shard, root)));
    if (isDeep) for (const digest of below) below.push(...walk(await this.#replicas.need(shard, digest)));
    return Buffer.concat(digests);
  }

  /** The root of a shard whose CAR is on this machine: the file's last section. One read, without opening the shard. */
  async #rootAtEnd({ cid, peers }: ReplicaPlace, root: Uint8Array): Promise<Uint8Array | undefined> {
    for (const name of peers) {
      try {
        const path = await this.#replicas.options.peers.get(name)?.carPath?.(cid);
        const node = path === undefined ? undefined : lastSection(path, root);
        if (node !== undefined) return node;
      } catch {
        // Whoever reads it by other means then says what is wrong.
      }
    }
    return undefined;
  }
}

function lastSection(path: string, digest: Uint8Array): Uint8Array | undefined {
  const { fd, size } = openRegularSync(path);
  try {
    const tail = Buffer.allocUnsafe(Math.min(size, NODE_BYTES));
    readSync(fd, tail, 0, tail.length, size - tail.length);
    const at = tail.lastIndexOf(digest);
    const node = tail.subarray(at + DIGEST_BYTES);
    return at >= 0 && hashesTo(node, digest) ? node : undefined;
  } finally {
    closeSync(fd);
  }
}
