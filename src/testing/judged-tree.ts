/** For tests of the gate: trees as plain maps from paths to bytes, and what differs between two of them by the obvious slow way. */
import { createHash } from 'node:crypto';
import type { JudgedEntry, JudgedTree, PathChange, StoredTree } from '../core/gate.ts';
import { type ByteString, DAG_PB, DIRECTORY, FILE, SYMLINK } from '../core/model.ts';

export type Content = Buffer | { readonly to: string };

/** Directories are where something is below them. */
export type PlainTree = ReadonlyMap<ByteString, Content>;

export interface TreeOptions {
  /** A file of more bytes has several leaves: its hash is not known by its root. */
  readonly leafBytes?: number;
  readonly mtimeNs?: ReadonlyMap<ByteString, bigint>;
  readonly leavesOut?: (path: ByteString) => boolean;
}

const SLASH = '/';

/** What was read of it, and how often. */
export interface Looks {
  entries: number;
  bytes: number;
}

export class MemoryTree implements StoredTree {
  readonly looks: Looks = { entries: 0, bytes: 0 };
  readonly files: PlainTree;
  readonly directories = new Map<ByteString, Set<ByteString>>([['', new Set()]]);
  readonly #options: TreeOptions;
  #byHash: Map<string, Buffer> | undefined;
  readonly #digests = new Map<ByteString, Buffer>();

  constructor(files: PlainTree, options: TreeOptions = {}) {
    this.files = files;
    this.#options = options;
    for (const path of files.keys()) {
      const names = path.split(SLASH);
      names.forEach((name, depth) => {
        const above = names.slice(0, depth).join(SLASH);
        const inside = this.directories.get(above) ?? new Set();
        this.directories.set(above, inside.add(name));
      });
    }
  }

  async entry(path: ByteString): Promise<JudgedEntry | undefined> {
    this.looks.entries++;
    const at = this.#followed(path, 10);
    return at === undefined ? undefined : this.plainEntry(at);
  }

  async names(path: ByteString): Promise<readonly ByteString[]> {
    const at = this.#followed(path, 10);
    return at === undefined ? [] : [...(this.directories.get(at) ?? [])].sort();
  }

  async *bytes({ id }: JudgedEntry): AsyncGenerator<Uint8Array> {
    this.#byHash ??= new Map([...this.files.values()].flatMap((content) => (Buffer.isBuffer(content) ? [[hexOf(content), content]] : [])));
    const content = this.#byHash.get(Buffer.from(id.digest).toString('hex'));
    if (content === undefined) throw new Error('no such file');
    this.looks.bytes += content.length;
    for (let at = 0; at < content.length; at += 1000) yield content.subarray(at, at + 1000);
  }

  /** Without following symlinks. */
  plainEntry(path: ByteString): JudgedEntry | undefined {
    const mtimeNs = this.#options.mtimeNs?.get(path);
    const content = this.files.get(path);
    if (content === undefined) {
      if (!this.directories.has(path)) return undefined;
      return { kind: DIRECTORY, at: path, size: 0, id: { codec: DAG_PB, digest: this.#digestOf(path) }, sha256: undefined, mtimeNs };
    }
    if (!Buffer.isBuffer(content)) {
      const target = Buffer.from(content.to);
      return {
        kind: SYMLINK,
        at: path,
        size: target.length,
        id: { codec: DAG_PB, digest: this.#digestOf(path) },
        sha256: undefined,
        mtimeNs,
      };
    }
    const digest = this.#digestOf(path);
    const isOneLeaf = content.length <= (this.#options.leafBytes ?? Number.POSITIVE_INFINITY);
    return { kind: FILE, at: path, size: content.length, id: { codec: DAG_PB, digest }, sha256: isOneLeaf ? digest : undefined, mtimeNs };
  }

  /** Of a file its hash; of a directory that of its names with theirs. */
  #digestOf(path: ByteString): Buffer {
    const known = this.#digests.get(path);
    if (known !== undefined) return known;
    const content = this.files.get(path);
    const inside = [...(this.directories.get(path) ?? [])].sort();
    const lines = () => inside.map((name) => `${name} ${this.#digestOf(path === '' ? name : `${path}/${name}`).toString('hex')}`);
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(content === undefined ? lines().join('\n') : `to ${content.to}`);
    const digest = hashOf(bytes);
    this.#digests.set(path, digest);
    return digest;
  }

  #followed(path: ByteString, links: number): ByteString | undefined {
    const names: string[] = [];
    const left = path === '' ? [] : path.split(SLASH);
    while (left.length > 0) {
      const name = left.shift() as string;
      if (name === '..' && names.pop() === undefined) return undefined;
      if (name === '..' || name === '.') continue;
      names.push(name);
      const content = this.files.get(names.join(SLASH));
      if (content === undefined || Buffer.isBuffer(content)) continue;
      if (links === 0) return undefined;
      names.pop();
      return this.#followed([...names, ...content.to.split(SLASH), ...left].join(SLASH), links - 1);
    }
    const at = names.join(SLASH);
    return this.files.has(at) || this.directories.has(at) ? at : undefined;
  }
}

/** A tree to be judged. @param before the one that was passed @param head the one that readers have, where it is another */
export function judgedTree(
  files: PlainTree,
  before?: PlainTree,
  options?: TreeOptions,
  head?: PlainTree,
): JudgedTree & { readonly looks: Looks } {
  const tree = new MemoryTree(files, options);
  const passed = before && new MemoryTree(before, options);
  return {
    looks: tree.looks,
    passed,
    head: head && new MemoryTree(head, options),
    entry: (path) => tree.entry(path),
    names: (path) => tree.names(path),
    bytes: (file) => tree.bytes(file),
    leavesOut: options?.leavesOut ?? (() => false),
    changes: async function* (): AsyncGenerator<PathChange> {
      if (passed === undefined) return;
      const paths = new Set([...passed.directories.keys(), ...passed.files.keys(), ...tree.directories.keys(), ...tree.files.keys()]);
      for (const path of [...paths].sort()) {
        const [old, now] = [passed.plainEntry(path), tree.plainEntry(path)];
        if (old?.kind !== now?.kind || old === undefined || now === undefined || Buffer.compare(old.id.digest, now.id.digest) !== 0)
          yield { path, before: old?.kind, now: now?.kind };
      }
    },
  };
}

/** Of contents that several trees share. */
const hashes = new WeakMap<Buffer, Buffer>();

function hashOf(bytes: Buffer): Buffer {
  const known = hashes.get(bytes);
  if (known !== undefined) return known;
  const hash = createHash('sha256').update(bytes).digest();
  hashes.set(bytes, hash);
  return hash;
}

function hexOf(bytes: Buffer): string {
  return hashOf(bytes).toString('hex');
}
