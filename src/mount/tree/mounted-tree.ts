/**
 * The tree that is shown: which entries it has, and what is in them. Where it follows the head of a repository, a new head changes
 * directories in place, and entries that are other ones now lose their names.
 */
import { displayPath } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, type ByteString, DIRECTORY } from '../../core/model.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { DecodedNodes } from '../../read/tree/decoded-nodes.ts';
import { type FactsOptions, factsOf } from './entry-facts.ts';
import { type ContentBlocks, FileContent, type FileId } from './file-content.ts';
import { type EntryFacts, type Inode, Inodes } from './inodes.ts';
import { type Listing, Listings } from './listings.ts';

/** The home at one moment, as far as it is needed. */
export interface TreeView {
  readonly blocks: ContentBlocks & Blocks;
}

/** Gives the newest view; whoever takes one releases it. */
export interface TreeViews {
  acquire(): TreeView;
  release(view: TreeView): void;
}

export interface MountedTreeOptions extends FactsOptions {
  readonly views: TreeViews;
  /** Entries that the kernel may know before it is asked to forget some. [200,000] */
  readonly mostInodes?: number;
}

/** Told of what the kernel must look at again. */
export interface Staleness {
  readonly node: (inode: Inode) => void;
  readonly name: (directory: Inode, name: ByteString) => void;
}

/** A longer target is no target: Linux has none (PATH_MAX). */
const MOST_TARGET_BYTES = 4095;
/** Entries of one page of a listing that are read side by side, when they are on other machines. */
const SIDE_BY_SIDE = 16;

export class MountedTree {
  readonly inodes: Inodes;
  readonly #options: MountedTreeOptions;
  readonly #nodes = new DecodedNodes();
  readonly #listings = new Listings();
  readonly #content = new FileContent();

  /** @throws ShardctlError when the root cannot be read, or is no directory */
  static async open(root: BlockId, options: MountedTreeOptions): Promise<MountedTree> {
    return new MountedTree(await inView(options.views, ({ blocks }) => rootFacts(root, blocks, options)), options);
  }

  private constructor(root: EntryFacts, options: MountedTreeOptions) {
    this.#options = options;
    this.inodes = new Inodes(root, options.mostInodes);
  }

  /** The entry of this name in a directory as it is now; undefined when there is none. */
  async find(directory: Inode, name: ByteString): Promise<EntryFacts | undefined> {
    return await this.#inView(async ({ blocks }) => {
      // Whoever lists a directory of a million entries looks them up in the order of their names, which is none in a HAMT.
      const listing = this.#listings.known(directory.id);
      if (listing !== undefined) {
        const at = listing.find(name);
        return at === undefined ? undefined : await factsOf(listing.idAt(at), blocks, this.#options);
      }
      const decoded = await this.#nodes.read(directory.id, blocks);
      if (decoded.kind !== DIRECTORY) throw new ShardctlError('DAMAGE', 'what was a directory is none');
      const link = await this.#nodes.linkNamed(decoded, name, blocks, () => {});
      return link === undefined ? undefined : await factsOf(link, blocks, this.#options);
    });
  }

  /** @param directory its block: it may be shown no more */
  async listing(directory: BlockId): Promise<Listing> {
    return await this.#inView(({ blocks }) => this.#listings.of(directory, blocks));
  }

  /** A listing that lacks entries was told to its end: whoever asks again has it read again. */
  dropListing(directory: BlockId): void {
    this.#listings.drop(directory);
  }

  /** Of the entries from `from` on and before `to`; undefined in the place of one that cannot be read. */
  async factsIn(listing: Listing, from: number, to: number): Promise<(EntryFacts | undefined)[]> {
    return await this.#inView(async ({ blocks }) => {
      const found: (EntryFacts | undefined)[] = [];
      for (let at = from; at < to; at += SIDE_BY_SIDE) {
        const some = Array.from({ length: Math.min(SIDE_BY_SIDE, to - at) }, (_, index) =>
          factsOf(listing.idAt(at + index), blocks, this.#options).catch(() => undefined),
        );
        found.push(...(await Promise.all(some)));
      }
      return found;
    });
  }

  async target(symlink: Inode): Promise<Uint8Array> {
    return await this.#inView(async ({ blocks }) => {
      const { data = new Uint8Array(0) } = decodeNode(await blocks.read(symlink.id.digest));
      if (data.length === 0 || data.length > MOST_TARGET_BYTES || data.includes(0))
        throw new ShardctlError('DAMAGE', `"${displayPath(symlink.name)}" is a symlink with a target that no file system takes`);
      return data;
    });
  }

  async read(file: Inode, offset: number, length: number): Promise<Uint8Array[]> {
    return await this.#inView(({ blocks }) => this.#content.read(fileOf(file), offset, length, blocks));
  }

  /** As `FileContent.readNow`. */
  readNow(file: Inode, offset: number, length: number, room: number): Buffer | undefined {
    const { views } = this.#options;
    const view = views.acquire();
    try {
      return this.#content.readNow(fileOf(file), offset, length, view.blocks, room);
    } finally {
      views.release(view);
    }
  }

  /**
   * Shows another tree from now on. Only directories that the kernel knows are looked at, and of those only the ones that have changed.
   * @throws ShardctlError when it cannot be read: all that was shown before stays, so that the same tree may be tried again
   */
  async show(root: BlockId, stale: Staleness): Promise<void> {
    await this.#inView(async ({ blocks }) => {
      // Everything is read before anything is changed.
      const changes = new Map<Inode, Change>();
      await this.#look(this.inodes.root, await rootFacts(root, blocks, this.#options), blocks, changes);
      for (const [directory, change] of changes) this.#apply(directory, change, changes, stale);
    });
  }

  /** Reads what has changed in a directory and below, those above first. */
  async #look(directory: Inode, facts: EntryFacts, blocks: TreeView['blocks'], changes: Map<Inode, Change>): Promise<void> {
    if (directory.is(facts)) return;
    const after = await this.#nodes.read(facts, blocks);
    const now = new Map<ByteString, EntryFacts | undefined>();
    changes.set(directory, { facts, now });
    const look = async (name: ByteString) => {
      const link = await this.#nodes.linkNamed(after, name, blocks, () => {});
      now.set(name, link && (await factsOf(link, blocks, this.#options)));
    };
    for (const name of directory.children?.keys() ?? []) await look(name);
    for (const child of [...(directory.children?.values() ?? [])]) {
      const facts = now.get(child.name);
      if (facts?.kind === DIRECTORY && child.kind === DIRECTORY) await this.#look(child, facts, blocks, changes);
    }
  }

  #apply(directory: Inode, { facts, now }: Change, changes: ReadonlyMap<Inode, Change>, stale: Staleness): void {
    directory.become(facts);
    stale.node(directory);
    for (const child of [...(directory.children?.values() ?? [])]) {
      // Without facts: one that is gone, or was handed out while this was read.
      const facts = now.get(child.name);
      if (facts !== undefined && (child.is(facts) || changes.has(child))) continue;
      this.inodes.replaced(child);
      stale.name(directory, child.name);
    }
  }

  async #inView<T>(work: (view: TreeView) => Promise<T>): Promise<T> {
    return await inView(this.#options.views, work);
  }
}

/** Of a directory that has changed: what it is now, and what is there now under the names that the kernel knew when that was read. */
interface Change {
  readonly facts: EntryFacts;
  readonly now: ReadonlyMap<ByteString, EntryFacts | undefined>;
}

function fileOf({ id: { codec, digest }, size, leaf }: Inode): FileId {
  return { codec, digest, size, leaf };
}

async function inView<T>(views: TreeViews, work: (view: TreeView) => Promise<T>): Promise<T> {
  const view = views.acquire();
  try {
    return await work(view);
  } finally {
    views.release(view);
  }
}

async function rootFacts(root: BlockId, blocks: TreeView['blocks'], options: FactsOptions): Promise<EntryFacts> {
  const facts = await factsOf(root, blocks, options);
  if (facts.kind !== DIRECTORY)
    throw new ShardctlError('USAGE', 'only a directory can be mounted', { hint: '`shardctl cat` and `shardctl get` give files' });
  return facts;
}
