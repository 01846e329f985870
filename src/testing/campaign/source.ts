/** A mirror as a campaign edits it, and what a snapshot of it must give back for as long as it is kept. */
import { lstatSync, lutimesSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { CidProfile } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { treeRoot } from '../tree-root.ts';
import { editOnce, pathsOf, shortened } from './edits.ts';
import type { Random } from './random.ts';

/** Small, so that a file of some KiB has several blocks. */
const CHUNKERS = ['size-4096', 'size-4096', 'size-1500', 'rabin-512-2048-8192'];
/** Times are given by count: the same seed makes the same nodes, and so the same shards. */
const FIRST_SECOND = 1_600_000_000;

/** A tree as it was at one time. */
export interface Frozen {
  /** CID of its root, computed without the pipeline. */
  readonly tree: string;
  /** Kind, mode, time and content of each entry. */
  readonly entries: ReadonlyMap<string, string>;
  /** Whether a snapshot of it has modes and times. */
  readonly metadata: boolean;
  /** Of all its blocks, in hex. */
  readonly digests: ReadonlySet<string>;
}

export class Source {
  readonly dir: string;
  readonly metadata: boolean;
  /** What `add` is given besides the directory and its name. */
  readonly flags: readonly string[];
  readonly #random: Random;
  readonly #profile: CidProfile;
  #seconds = FIRST_SECOND;

  constructor(dir: string, random: Random, metadata: boolean) {
    this.dir = dir;
    this.metadata = metadata;
    const profile = random.chance(0.8) ? 'unixfs-v1-2025' : 'unixfs-v0-2015';
    const chunker = random.pick(CHUNKERS);
    this.#profile = profileOf(profile, chunker);
    this.flags = ['--cid-profile', profile, '--chunker', chunker, ...(metadata ? [] : ['--no-metadata'])];
    this.#random = random;
    mkdirSync(join(dir, 'pool', 'deep'), { recursive: true });
    for (let i = 0; i < 12; i++) writeFileSync(join(dir, i % 2 ? 'pool' : '', `file-${i}`), random.bytes(random.mostlySmall(1, 40_000)));
    writeFileSync(join(dir, 'pool', 'deep', 'file'), random.bytes(20_000));
    this.#stamp();
  }

  async frozen(): Promise<Frozen> {
    const digests = new Set<string>();
    const tree = await this.#root(this.dir, (block) => {
      const digest = sha256(block);
      digests.add(Buffer.from(digest).toString('hex'));
      return digest;
    });
    return { tree, entries: entriesOf(this.dir, this.metadata), metadata: this.metadata, digests };
  }

  /** Some edits, so that some meet each other. @returns what was done, a line each */
  async edit(): Promise<string[]> {
    const done = Array.from({ length: this.#random.mostlySmall(1, 6) }, () => editOnce(this.dir, this.#random));
    this.#stamp();
    if (this.#random.chance(0.3)) {
      done.push(await this.#storeBlock());
      this.#stamp();
    }
    return done;
  }

  /** A file whose bytes are a node of the tree itself: the one block stands in it as a leaf and as a node. */
  async #storeBlock(): Promise<string> {
    const { files, directories } = pathsOf(this.dir);
    const random = this.#random;
    const below = directories.slice(1);
    const of = below.length > 0 && (files.length === 0 || random.chance(0.7)) ? random.pick(below) : random.pick(files);
    let node: Uint8Array = Buffer.alloc(0);
    await this.#root(of, (block) => {
      // The last one is its root. One of those below will do as well.
      if (random.chance(0.9)) node = block;
      return sha256(block);
    });
    // Above `of` it changes only the nodes above it.
    const at = random.chance(0.8) ? this.dir : dirname(of);
    const path = join(at, `${random.pick(['!', '~'])}block-${random.below(20)}`);
    writeFileSync(path, node);
    return `${shortened(this.dir, path)} holds the node of ${shortened(this.dir, of)}`;
  }

  async #root(path: string, emit: (block: Buffer) => Uint8Array): Promise<string> {
    return cidText(await treeRoot(toBytes(path), { profile: this.#profile, metadata: this.metadata, emit }), this.#profile.cidVersion);
  }

  /** What has a time of the real clock gets one by count. */
  #stamp(): void {
    const { files, directories, others } = pathsOf(this.dir);
    for (const path of [...files, ...others, ...directories]) {
      if (lstatSync(path).mtimeMs < Date.UTC(2026, 0)) continue;
      this.#seconds++;
      lutimesSync(path, this.#seconds, this.#seconds);
    }
  }
}

/** What of a directory a snapshot brings back, by path: kind, mode, time and content. */
export function entriesOf(dir: string, metadata: boolean): Map<string, string> {
  const { files, directories, others } = pathsOf(dir);
  return new Map([...files, ...directories, ...others].map((path) => [relative(dir, path), looksLike(path, metadata)]));
}

function looksLike(path: string, withMetadata: boolean): string {
  const stat = lstatSync(path, { bigint: true });
  const isLink = stat.isSymbolicLink();
  const kind = isLink ? 'symlink' : stat.isFile() ? 'file' : 'directory';
  const metadata = withMetadata ? ` ${isLink ? '' : Number(stat.mode).toString(8)} ${stat.mtimeNs}` : '';
  const content = isLink ? readlinkSync(path) : stat.isFile() ? Buffer.from(sha256(readFileSync(path))).toString('hex') : '';
  return `${kind}${metadata} ${content}`;
}
