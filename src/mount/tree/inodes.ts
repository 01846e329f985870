/**
 * The entries that the kernel knows, by their numbers. It counts how often each was handed to it, and says when it has forgotten one: until
 * then the entry must stay here. An entry of a directory keeps its number as long as it is known. Whatever the kernel caches is here, too,
 * so that there are bounds: with more than `most` entries the kernel is asked to forget those that were handed out first.
 *
 * A file or symlink never changes: what comes in its place is another entry with another number, and who has the old one open reads on in
 * it. A directory keeps its number while it is a directory, whatever comes to be in it.
 */
import { randomBytes } from 'node:crypto';
import { type BlockId, type ByteString, type Codec, DIRECTORY, type EntryKind, RAW } from '../../core/model.ts';
import type { Attributes } from '../protocol/replies.ts';

/** The kernel's number of the directory that is mounted. */
export const ROOT_NODE = 1;

/** An entry as its block tells it. */
export interface EntryFacts extends BlockId {
  readonly kind: EntryKind;
  readonly size: number;
  readonly mode: number;
  readonly mtimeNs: bigint;
  /** Digest of the raw leaf that is all of a file; undefined where there are several, or none. */
  readonly leaf?: Uint8Array | undefined;
}

export class Inode implements Attributes {
  readonly number: number;
  readonly inoLow: number;
  readonly inoHigh: number;
  readonly kind: EntryKind;
  /** Undefined for the root, and for what is not there any more under its name. */
  parent: Inode | undefined;
  readonly name: ByteString;
  size: number;
  mode: number;
  mtimeNs: bigint;
  codec: Codec;
  /** As text of one char a byte: a view would keep the whole block of the directory. */
  digestText: string;
  /** The same of the raw leaf that is all of a file. */
  readonly leafText: string | undefined;
  /** Those of a directory that the kernel knows, by name. */
  children: Map<ByteString, Inode> | undefined;
  lookups = 0;

  constructor(number: number, parent: Inode | undefined, name: ByteString, facts: EntryFacts, ino: readonly [number, number]) {
    this.number = number;
    this.parent = parent;
    this.name = name;
    this.kind = facts.kind;
    [this.inoLow, this.inoHigh] = ino;
    this.size = facts.size;
    this.mode = facts.mode;
    this.mtimeNs = facts.mtimeNs;
    this.codec = facts.codec;
    this.digestText = textOf(facts.digest);
    this.leafText = facts.codec === RAW ? this.digestText : facts.leaf && textOf(facts.leaf);
  }

  /** Of a file that is one raw leaf. */
  get leaf(): Uint8Array | undefined {
    return this.leafText === undefined ? undefined : Buffer.from(this.leafText, 'latin1');
  }

  get id(): BlockId {
    return { codec: this.codec, digest: Buffer.from(this.digestText, 'latin1') };
  }

  is({ codec, digest }: BlockId): boolean {
    return this.codec === codec && this.digestText === textOf(digest);
  }

  /** The same directory with another content. */
  become({ size, mode, mtimeNs, codec, digest }: EntryFacts): void {
    this.size = size;
    this.mode = mode;
    this.mtimeNs = mtimeNs;
    this.codec = codec;
    this.digestText = textOf(digest);
  }
}

export class Inodes {
  readonly root: Inode;
  readonly #byNumber = new Map<number, Inode>();
  readonly #most: number;
  readonly #key = randomBytes(8);
  #next = ROOT_NODE + 1;

  /** @param most entries over which some should be forgotten */
  constructor(root: EntryFacts, most = 200_000) {
    this.#most = most;
    this.root = new Inode(ROOT_NODE, undefined, '', root, this.#inoOf(undefined, ''));
    this.#byNumber.set(ROOT_NODE, this.root);
  }

  get size(): number {
    return this.#byNumber.size;
  }

  get(number: number): Inode | undefined {
    return this.#byNumber.get(number);
  }

  /** The entry of a directory: the one that is known, or a new one. It is not handed out yet. */
  childOf(parent: Inode, name: ByteString, facts: EntryFacts): Inode {
    const known = parent.children?.get(name);
    if (known?.is(facts) || (known?.kind === DIRECTORY && facts.kind === DIRECTORY)) return known;
    // What was there before has another content, and whoever puts the directory's new content in place has not come to it yet.
    if (known !== undefined) this.replaced(known);
    return new Inode(this.#next++, parent, name, facts, this.inoOf(parent, name));
  }

  /** The entry was handed to the kernel. */
  handedOut(inode: Inode): void {
    if (inode.number === ROOT_NODE) return;
    if (inode.lookups++ > 0) return;
    this.#byNumber.set(inode.number, inode);
    if (inode.parent === undefined) return;
    inode.parent.children ??= new Map();
    inode.parent.children.set(inode.name, inode);
  }

  /** The kernel has forgotten so many of the times that the entry was handed to it. */
  forget(number: number, lookups: number): void {
    const inode = this.#byNumber.get(number);
    if (inode === undefined || number === ROOT_NODE) return;
    inode.lookups -= lookups;
    if (inode.lookups > 0) return;
    inode.lookups = 0;
    this.#byNumber.delete(number);
    this.#leave(inode);
  }

  /** The entry is not there any more under its name. */
  replaced(inode: Inode): void {
    this.#leave(inode);
    inode.parent = undefined;
  }

  get isFull(): boolean {
    return this.#byNumber.size > this.#most;
  }

  /** Where an entry lies; for one that has lost its name, what it was called. */
  pathOf(inode: Inode): ByteString {
    const names: ByteString[] = [];
    for (let at: Inode | undefined = inode; at !== undefined && at !== this.root; at = at.parent) names.push(at.name);
    return names.reverse().join('/');
  }

  /** Entries that the kernel should forget now, because there are too many: a part of them, none of which has known entries below it. */
  *surplus(): Generator<Inode> {
    const excess = this.#byNumber.size - this.#most;
    if (excess <= 0) return;
    let left = excess + Math.ceil(this.#most / 20);
    // Those that are in use stay, and are the last ones from now on. New ones behind the end are not looked at.
    for (const inode of [...this.#byNumber.values()].slice(0, excess + Math.ceil(this.#most / 4))) {
      if (left === 0) return;
      if (inode.parent === undefined || (inode.children?.size ?? 0) > 0) continue;
      this.#byNumber.delete(inode.number);
      this.#byNumber.set(inode.number, inode);
      left--;
      yield inode;
    }
  }

  /**
   * What `stat` calls the inode, for an entry of this name: the same as long as the mount stands, also when the kernel forgets it in
   * between. It depends on a secret, so that nobody can make a tree in which two files have the same one: programs take those for one file.
   */
  inoOf(parent: Inode, name: ByteString): readonly [low: number, high: number] {
    return this.#inoOf(parent, name);
  }

  #inoOf(parent: Inode | undefined, name: ByteString): readonly [number, number] {
    let low = this.#key.readUInt32LE(0) ^ (parent?.inoLow ?? 0);
    let high = this.#key.readUInt32LE(4) ^ (parent?.inoHigh ?? 0);
    for (let at = 0; at < name.length; at++) {
      const byte = name.charCodeAt(at);
      low = Math.imul((low ^ byte ^ (high >>> 15)) + 0x7f4a7c15, 0x85ebca6b);
      high = Math.imul((high ^ byte ^ (low >>> 13)) + 0x1ce4e5b9, 0xc2b2ae35);
    }
    for (let round = 0; round < 2; round++) {
      low = Math.imul(low ^ (high >>> 16), 0x27d4eb2f);
      high = Math.imul(high ^ (low >>> 15), 0x165667b1);
    }
    return [low >>> 0 || 1, high >>> 0];
  }

  #leave({ parent, name, number }: Inode): void {
    if (parent?.children?.get(name)?.number === number) parent.children.delete(name);
  }
}

function textOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}
