/** For tests: the routes for paths over snapshots of trees in memory. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type FastifyInstance, fastify } from 'fastify';
import type { SnapshotRecord, Tags } from '../core/model.ts';
import { toBytes } from '../core/path-bytes.ts';
import { cidText } from '../dag/cid.ts';
import { profileOf } from '../dag/cid-profile.ts';
import type { Extent, OpenFile } from '../read/stored/stored-blocks.ts';
import type { Access } from '../serve/access/access.ts';
import { FileHashes } from '../serve/hashes/file-hashes.ts';
import { Hashing } from '../serve/hashes/hashing.ts';
import { routableUrl } from '../serve/http/routable-url.ts';
import type { Mirror, MirrorView } from '../serve/mirror.ts';
import { bySha256Routes } from '../serve/paths/by-sha256-routes.ts';
import { pathRoutes } from '../serve/paths/path-routes.ts';
import { hashesEach } from './hashes-each.ts';
import { MemoryBlocks } from './memory-blocks.ts';
import { type TreeSpec, writeTree } from './tree.ts';
import { treeRoot } from './tree-root.ts';

export class PathMirror implements Mirror {
  readonly blocks = new MemoryBlocks();
  readonly app: FastifyInstance;
  readonly hashes = new FileHashes(undefined);
  /** Views in use. */
  held = 0;
  /** Digests that a request does not see. */
  readonly hidden = new Set<string>();
  /** By repository. */
  readonly tags = new Map<string, Tags>();
  readonly #stop = new AbortController();
  readonly #dir = mkdtempSync(join(tmpdir(), 'shardctl-path-mirror-'));
  readonly #snapshots = new Map<string, SnapshotRecord[]>();
  readonly #car = openSync(join(this.#dir, 'car'), 'w+');
  #carBytes = 0;

  /** @param privateNames of repositories that nobody may read */
  constructor(privateNames: readonly string[] = []) {
    this.app = fastify({ exposeHeadRoutes: false, rewriteUrl: ({ url = '/' }) => routableUrl(url) });
    const access = {
      isRestricted: privateNames.length > 0,
      isPrivate: (name: string) => privateNames.includes(name),
      mayRead: (_asker: unknown, name: string) => !privateNames.includes(name),
      refusal: () => ({ code: privateNames.length > 0 ? 401 : 404, headers: {} }),
      sees: (_asker: unknown, _view: unknown, digest: Uint8Array) => !this.hidden.has(Buffer.from(digest).toString('hex')),
    } as unknown as Access;
    const { hashes } = this;
    bySha256Routes(this.app, {
      mirror: this,
      access,
      hashes,
      onCut: () => {},
      hashing: new Hashing({ mirror: this, hashes, signal: this.#stop.signal }),
    });
    pathRoutes(this.app, { mirror: this, onCut: () => {}, access, hashes });
  }

  /** @param time of the commit, RFC 3339 */
  async commit(repository: string, time: string, tree: TreeSpec | string, hamtThreshold = 256 * 1024): Promise<SnapshotRecord> {
    const source = typeof tree === 'string' ? tree : writeTree(mkdtempSync(join(this.#dir, 'tree-')), tree);
    const profile = { ...profileOf('unixfs-v1-2025'), hamtThreshold };
    const root = await treeRoot(toBytes(source), { profile, metadata: true, emit: this.blocks.put });
    const before = this.#snapshots.get(repository) ?? [];
    const number = (before.at(-1)?.number ?? 0) + 1;
    const record = {
      repository,
      number,
      time,
      tree: cidText(root, 1),
      cid: `snapshot${number}`,
      counts: { files: 1, directories: 1, symlinks: 0 },
      bytes: 1,
    } as unknown as SnapshotRecord;
    this.#snapshots.set(repository, [...before, record]);
    return record;
  }

  forget(repository: string, number: number): void {
    this.#snapshots.set(
      repository,
      (this.#snapshots.get(repository) ?? []).filter((it) => it.number !== number),
    );
  }

  acquire(): MirrorView {
    this.held++;
    return this.newest;
  }

  get newest(): MirrorView {
    const repositories = new Map(
      [...this.#snapshots].map(([name, snapshots]) => [name, { name, snapshots, head: snapshots.at(-1), tags: this.tags.get(name) }]),
    );
    const blocks = {
      read: (digest: Uint8Array) => this.blocks.read(digest),
      extentNow: (digest: Uint8Array) => this.#extentOf(digest),
      extentOf: async () => undefined,
      sizeOf: async (digest: Uint8Array) => (await this.blocks.read(digest)).length,
      placeOf: (digest: Uint8Array) =>
        this.blocks.read(digest).then(
          () => ({ cid: '', peers: [] }),
          () => undefined,
        ),
    };
    return { repositories, peers: new Map(), blocks } as unknown as MirrorView;
  }

  release(): void {
    this.held--;
  }

  /** Small blocks lie in a file, as those of a local peer do. */
  #extentOf(digest: Uint8Array): Extent | undefined {
    const block = this.blocks.now(digest);
    if (block.length > 64 * 1024) return undefined;
    const at = this.#carBytes;
    this.#carBytes += writeSync(this.#car, block, 0, block.length, at);
    return { file: { fd: this.#car, isOpen: true, ...hashesEach } as OpenFile, at, length: block.length };
  }

  onChange(): () => void {
    return () => {};
  }

  /** Waits until no request holds a view any more: a stream ends some turns after its last byte was read. */
  async allReleased(): Promise<void> {
    while (this.held > 0) await turn();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.app.close();
    closeSync(this.#car);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
