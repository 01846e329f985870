/** Does what the kernel asks. Each request is answered as soon as it can be, whatever came before it. */
import { displayPath } from '../core/display.ts';
import { messageOf, ShardctlError } from '../core/errors.ts';
import { type BlockId, type ByteString, DIRECTORY, FILE, SYMLINK } from '../core/model.ts';
import { joinBytes } from '../core/path-bytes.ts';
import { UnlistedBlock } from '../read/blocks/block-source.ts';
import { MovedBlock } from '../read/stored/stored-blocks.ts';
import { Answers } from './channel/answers.ts';
import type { Device } from './channel/device.ts';
import { DOTS, FOR_LONG, pageOf } from './page.ts';
import {
  ATTRIBUTES_BYTES,
  ENTRY_BYTES,
  type FileOwner,
  REPLY_HEADER_BYTES as HEADER,
  INIT_BYTES,
  LEAST_MINOR,
  OPEN_BYTES,
  putAttributes,
  putEntry,
  putInit,
  putNoEntry,
  putOpen,
  putStatfs,
  STATFS_BYTES,
  staleName,
  staleNode,
} from './protocol/replies.ts';
import { type Request, requestIn } from './protocol/requests.ts';
import type { Inode } from './tree/inodes.ts';
import type { MountedTree } from './tree/mounted-tree.ts';

const [EIO, ENOTDIR, EISDIR, EINVAL, ENOSYS, EPROTO, ESTALE] = [5, 20, 21, 22, 38, 71, 116];

/** In seconds: by a name that is not there, where the head is followed: which names were asked for is not kept. */
const FOR_A_MOMENT = 1;
/**
 * Requests that are worked on at once. The kernel itself bounds only those that it makes ahead: of ten thousand who read at once each has one,
 * and each answer would be held until it is complete. The others wait as what they say, some hundred bytes each.
 */
const MOST_AT_ONCE = 64;
/** Of a READ: no kernel asks for more. */
const MOST_READ_BYTES = 4 * 1024 * 1024;

export interface SessionOptions {
  readonly device: Pick<Device, 'reply' | 'replyFrom' | 'notify'>;
  readonly tree: MountedTree;
  readonly owner: FileOwner;
  /** Whether another tree may be shown later. */
  readonly changes: boolean;
  /** Of what is shown: for `df`. */
  readonly totals: () => { readonly bytes: number; readonly entries: number };
  /** Told of each entry that cannot be read; `cause` is the same for the same trouble. */
  readonly onTrouble: (message: string, cause: string) => void;
  /** Called when the kernel has agreed. */
  readonly onReady: () => void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #answers: Answers;
  /** Directories that are being listed, by handle, with their content at that time. */
  readonly #handles = new Map<number, BlockId>();
  #opensAlone = false;
  #opensDirectoriesAlone = false;
  #nextHandle = 1;
  #isTrimming = false;
  #atOnce = 0;
  /** Requests that wait for others to be answered, the oldest first. */
  readonly #waiting: Request[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#answers = new Answers(options.device);
  }

  /** @param bytes one request, as it comes from the device */
  take(bytes: Buffer): void {
    const request = requestIn(bytes);
    if (request === undefined) return;
    if (request.kind === 'forget') {
      for (const { node, lookups } of request.forgotten) this.#options.tree.inodes.forget(node, lookups);
    } else if (request.kind === 'interrupt') this.#answers.interrupt(request.request);
    else if (request.kind !== 'destroy') {
      this.#answers.expect(request.unique);
      if (this.#atOnce < MOST_AT_ONCE) void this.#serve(request);
      else this.#waiting.push(request);
    }
  }

  /** And then what has waited, if anything. */
  async #serve(first: Request): Promise<void> {
    this.#atOnce++;
    for (let request: Request | undefined = first; request !== undefined; request = this.#waiting.shift()) {
      // Nobody waits for it any more.
      if (!this.#answers.expects(request.unique)) continue;
      try {
        await this.#answer(request);
      } catch (error) {
        this.#answers.refuse(request.unique, this.#errnoOf(request, error));
      }
    }
    this.#atOnce--;
  }

  /** Another tree is shown from now on. Resolves when the kernel has heard of all that is other. */
  async show(root: BlockId): Promise<void> {
    const { device, tree } = this.#options;
    let last: Promise<void> | undefined;
    await tree.show(root, {
      node: ({ number }) => {
        last = device.notify(staleNode(number));
      },
      name: ({ number }, name) => {
        last = device.notify(staleName(number, name));
      },
    });
    await last;
  }

  async #answer(request: Request): Promise<unknown> {
    if (request.kind === 'init') return this.#init(request);
    const { tree, totals } = this.#options;
    switch (request.kind) {
      case 'lookup':
        return await this.#lookUp(request, this.#inode(request, DIRECTORY), request.name);
      case 'getattr':
        return this.#attributes(request, this.#inode(request));
      case 'readlink':
        return this.#answers.bytes(request.unique, [await tree.target(this.#inode(request, SYMLINK))]);
      case 'read': {
        const file = this.#inode(request, FILE);
        const now = tree.readNow(file, request.offset, request.size, HEADER);
        if (now !== undefined) return this.#answers.whole(request.unique, now);
        return this.#answers.bytes(request.unique, await tree.read(file, request.offset, Math.min(request.size, MOST_READ_BYTES)));
      }
      case 'readdir':
      case 'readdirplus':
        return await this.#page(request, this.#inode(request, DIRECTORY));
      case 'opendir':
        return this.#openDirectory(request);
      case 'release':
        this.#handles.delete(request.handle);
        return this.#answers.put(request.unique, 0, () => {});
      case 'open':
        if (this.#opensAlone) throw new Refused(ENOSYS);
        this.#answers.put(request.unique, OPEN_BYTES, (into) => putOpen(into, HEADER, 0));
        return;
      case 'statfs': {
        const { bytes, entries } = totals();
        this.#answers.put(request.unique, STATFS_BYTES, (into) => putStatfs(into, HEADER, bytes, entries));
        return;
      }
      case 'malformed':
        throw new Refused(EINVAL);
      default:
        // The kernel takes that for "there is none", and asks no more: of extended attributes, locks, and what writes.
        throw new Refused(ENOSYS);
    }
  }

  #init(request: Request & { readonly kind: 'init' }): void {
    const { major, minor, flags, maxReadahead } = request;
    if (major < 7 || (major === 7 && minor < LEAST_MINOR)) {
      this.#options.onTrouble(`the kernel's FUSE is ${major}.${minor}, and 7.${LEAST_MINOR} is needed: Linux 3.15`, 'init');
      throw new Refused(EPROTO);
    }
    this.#answers.put(request.unique, INIT_BYTES, (into) => {
      const agreed = putInit(into, HEADER, flags, maxReadahead);
      this.#opensAlone = agreed.opensAlone;
      // What changes while it is listed is listed as it was.
      this.#opensDirectoriesAlone = agreed.opensDirectoriesAlone && !this.#options.changes;
    });
    // A newer kernel of another major number asks again, by ours.
    if (major === 7) this.#options.onReady();
  }

  async #lookUp(request: Request, directory: Inode, name: ByteString): Promise<void> {
    const { tree, owner, changes } = this.#options;
    for (;;) {
      const before = directory.digestText;
      const facts = await tree.find(directory, name);
      // A new head came in between.
      if (directory.digestText !== before) continue;
      if (facts === undefined) {
        this.#answers.put(request.unique, ENTRY_BYTES, (into) => putNoEntry(into, HEADER, changes ? FOR_A_MOMENT : FOR_LONG));
        return;
      }
      const inode = tree.inodes.childOf(directory, name, facts);
      const isTaken = this.#answers.put(request.unique, ENTRY_BYTES, (into) =>
        putEntry(into, HEADER, inode.number, FOR_LONG, inode, owner),
      );
      if (isTaken) this.#handedOut([inode]);
      return;
    }
  }

  #attributes(request: Request, inode: Inode): void {
    this.#answers.put(request.unique, 16 + ATTRIBUTES_BYTES, (into) => {
      into.fill(0, HEADER, HEADER + 16);
      into.writeUInt32LE(FOR_LONG, HEADER);
      putAttributes(into, HEADER + 16, inode, this.#options.owner);
    });
  }

  #openDirectory(request: Request): void {
    if (this.#opensDirectoriesAlone) throw new Refused(ENOSYS);
    const handle = this.#nextHandle++;
    const { id } = this.#inode(request, DIRECTORY);
    if (this.#answers.put(request.unique, OPEN_BYTES, (into) => putOpen(into, HEADER, handle))) this.#handles.set(handle, id);
  }

  async #page(request: Request & { readonly kind: 'readdir' | 'readdirplus' }, directory: Inode): Promise<void> {
    const { tree, owner } = this.#options;
    const content = this.#handles.get(request.handle) ?? directory.id;
    const listing = await tree.listing(content);
    const page = await pageOf({ tree, directory, content, listing, owner }, request);
    if (page.length === 0 && request.offset >= listing.length + DOTS && listing.failure !== undefined) {
      tree.dropListing(content);
      throw listing.failure;
    }
    const isTaken = this.#answers.made(request.unique, page.length, page.bytes);
    if (isTaken) this.#handedOut(page.inodes);
  }

  #handedOut(inodes: readonly Inode[]): void {
    const { tree } = this.#options;
    for (const inode of inodes) tree.inodes.handedOut(inode);
    if (!this.#isTrimming && tree.inodes.isFull) void this.#trim();
  }

  /** Asks the kernel to forget entries until there are few enough, or those that are left are in use. */
  async #trim(): Promise<void> {
    const { device, tree } = this.#options;
    this.#isTrimming = true;
    let last: Promise<void> | undefined;
    for (const inode of tree.inodes.surplus())
      if (inode.parent !== undefined) last = device.notify(staleName(inode.parent.number, inode.name));
    await last;
    this.#isTrimming = false;
  }

  #inode({ node }: Request, kind?: Inode['kind']): Inode {
    const inode = this.#options.tree.inodes.get(node);
    if (inode === undefined) throw new Refused(ESTALE);
    if (kind === undefined || inode.kind === kind) return inode;
    throw new Refused(kind === DIRECTORY ? ENOTDIR : inode.kind === DIRECTORY ? EISDIR : EINVAL);
  }

  #errnoOf(request: Request, error: unknown): number {
    if (error instanceof Refused) return error.errno;
    const { tree, onTrouble } = this.#options;
    const inode = tree.inodes.get(request.node);
    const isOld = inode !== undefined && inode !== tree.inodes.root && inode.parent === undefined;
    // It was removed with the snapshots that had it.
    if (error instanceof MovedBlock || (error instanceof UnlistedBlock && isOld)) return ESTALE;
    const at = inode && tree.inodes.pathOf(inode);
    const path = at !== undefined && request.kind === 'lookup' ? joinBytes(at, request.name) : at;
    const where = path === undefined ? '' : `"${displayPath(path || '.')}": `;
    onTrouble(`${where}${messageOf(error)}`, causeOf(error));
    return EIO;
  }
}

/** A request that gets an errno, and is no trouble. */
class Refused extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

/** Of a peer that does not answer, what it said of one block counts for all. */
function causeOf(error: unknown): string {
  return error instanceof ShardctlError && error.code === 'TOO_FEW_PEERS' ? messageOf(error.cause ?? error) : messageOf(error);
}
