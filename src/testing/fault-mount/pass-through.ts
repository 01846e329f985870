/** Passes the kernel's requests on to a directory, as it is, but for what the test wants to go wrong. Synchronous: one request after another. */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { Libc } from '../../core/libc.ts';
import type { ByteString } from '../../core/model.ts';
import { fsPath, joinBytes } from '../../core/path-bytes.ts';
import { type FaultState, LINUX_ERRNO, type Operation } from './faults.ts';
import { type Node, Nodes } from './nodes.ts';
import { type OpenFile, OpenFiles } from './open-files.ts';
import {
  attributes,
  attributesBody,
  countBody,
  entryBody,
  initBody,
  type Listed,
  listingBody,
  nameIn,
  namesIn,
  OPCODE,
  OPEN_DIRECT_IO,
  openBody,
  type Request,
  statfsBody,
} from './protocol.ts';
import { Refused } from './refused.ts';
import { setAttributes } from './set-attributes.ts';

const ENOENT = 2;
const NOTHING: Buffer = Buffer.alloc(0);
/** What the kernel has dealt with already, or what a passing of everything to `pwrite` must not have. */
const NOT_PASSED_ON = constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_DIRECT | constants.O_NOCTTY;

export class PassThrough {
  readonly #below: ByteString;
  readonly #faults: FaultState;
  readonly #libc: Libc | undefined;
  readonly #nodes = new Nodes();
  readonly #files = new OpenFiles();
  readonly #listings = new Map<bigint, { readonly path: ByteString; entries: Listed[] | undefined }>();
  #lastListing = 0;

  /** @param below the directory, as bytes */
  constructor(below: ByteString, faults: FaultState, libc: Libc | undefined) {
    this.#below = below;
    this.#faults = faults;
    this.#libc = libc;
  }

  /** @returns the body of the answer, or undefined where the kernel waits for none; throws what has an `errno` below 0 */
  answer(request: Request): Buffer | undefined {
    const { body, node } = request;
    switch (request.opcode) {
      case OPCODE.forget:
      case OPCODE.batchForget:
      case OPCODE.interrupt:
        return undefined;
      case OPCODE.init:
        return initBody(body);
      case OPCODE.lookup: {
        const path = this.#child(node, nameIn(body, 0));
        this.#refuse('lookup', path);
        return this.#entry(path);
      }
      case OPCODE.getattr:
        this.#refuse('getattr', this.#nodes.get(node)?.path ?? '');
        return attributesBody(this.#attributes(node));
      case OPCODE.setattr: {
        const { path } = this.#nodes.get(node) as Node;
        const refuse = (operation: Operation) => this.#refuse(operation, path ?? '');
        setAttributes(body, path === undefined ? undefined : this.#real(path), this.#files.of(node)?.fd, refuse, this.#libc);
        return attributesBody(this.#attributes(node));
      }
      case OPCODE.readlink:
        return readlinkSync(this.#real(this.#asked('readlink', this.#path(node))), 'buffer');
      case OPCODE.symlink: {
        const [name = '', target = ''] = namesIn(body, 0);
        return this.#make('symlink', request, name, (path) => symlinkSync(fsPath(target), path));
      }
      case OPCODE.mknod:
        return this.#make('mknod', request, nameIn(body, 16), (path) => closeSync(openSync(path, 'wx', body.readUInt32LE(0) & 0o7777)));
      case OPCODE.mkdir:
        return this.#make('mkdir', request, nameIn(body, 8), (path) => mkdirSync(path, body.readUInt32LE(0)));
      case OPCODE.link: {
        const from = this.#real(this.#path(body.readBigUInt64LE(0)));
        return this.#make('link', request, nameIn(body, 8), (path) => linkSync(from, path));
      }
      case OPCODE.unlink: {
        const path = this.#asked('unlink', this.#child(node, nameIn(body, 0)));
        if (!this.#outOfTheWay(path)) {
          unlinkSync(this.#real(path));
          this.#nodes.remove(path);
        }
        return NOTHING;
      }
      case OPCODE.rmdir: {
        const path = this.#asked('rmdir', this.#child(node, nameIn(body, 0)));
        rmdirSync(this.#real(path));
        this.#nodes.remove(path);
        return NOTHING;
      }
      case OPCODE.rename:
        return this.#rename(node, body.readBigUInt64LE(0), namesIn(body, 8));
      case OPCODE.rename2:
        if (body.readUInt32LE(8) !== 0) throw new Refused(LINUX_ERRNO.EINVAL);
        return this.#rename(node, body.readBigUInt64LE(0), namesIn(body, 16));
      case OPCODE.open:
        return this.#open(this.#nodes.get(node) as Node, this.#asked('open', this.#path(node)), body.readUInt32LE(0));
      case OPCODE.create: {
        const path = this.#child(node, nameIn(body, 16));
        const made = this.#make('create', request, nameIn(body, 16), (real) => {
          const exclusive = body.readUInt32LE(0) & constants.O_EXCL;
          closeSync(openSync(real, constants.O_CREAT | constants.O_WRONLY | exclusive, body.readUInt32LE(4) & 0o7777));
        });
        return Buffer.concat([made, this.#open(this.#nodes.at(path) as Node, path, body.readUInt32LE(0))]);
      }
      case OPCODE.statfs:
        this.#refuse('statfs', this.#nodes.get(node)?.path ?? '');
        return statfsBody(statfsSync(this.#real('')));
      case OPCODE.opendir:
        this.#listings.set(BigInt(++this.#lastListing), { path: this.#asked('opendir', this.#path(node)), entries: undefined });
        return openBody(this.#lastListing, 0);
      case OPCODE.readdir:
        return this.#list(body);
      case OPCODE.releasedir:
        this.#listings.delete(body.readBigUInt64LE(0));
        return NOTHING;
      case OPCODE.fsyncdir: {
        const fd = openSync(this.#real(this.#asked('fsyncdir', this.#path(node))), 'r');
        fsyncSync(fd);
        closeSync(fd);
        return NOTHING;
      }
      default:
        return this.#withFile(request);
    }
  }

  /** Requests on an open file: its handle comes first. */
  #withFile({ opcode, body }: Request): Buffer {
    const file = body.length < 8 ? undefined : this.#files.get(body.readBigUInt64LE(0));
    if (file === undefined) throw new Refused(LINUX_ERRNO.ENOSYS);
    const path = file.node.path ?? '';
    switch (opcode) {
      case OPCODE.read: {
        this.#refuse('read', path);
        const bytes = Buffer.allocUnsafe(Math.min(body.readUInt32LE(16), this.#faults.mostRead));
        return bytes.subarray(0, readSync(file.fd, bytes, 0, bytes.length, body.readBigUInt64LE(8)));
      }
      case OPCODE.write: {
        this.#refuse('write', path);
        const bytes = body.subarray(40, 40 + body.readUInt32LE(16));
        return countBody(writeSync(file.fd, bytes, 0, bytes.length, Number(body.readBigUInt64LE(8))));
      }
      case OPCODE.flush:
        this.#refuse('flush', path);
        return NOTHING;
      case OPCODE.fsync:
        this.#refuse('fsync', path);
        fsyncSync(file.fd);
        return NOTHING;
      case OPCODE.release:
        this.#files.close(body.readBigUInt64LE(0), (hidden) => {
          unlinkSync(this.#real(hidden));
          this.#nodes.remove(hidden);
        });
        return NOTHING;
      case OPCODE.copyFileRange:
        return this.#copyRange(file, body);
      default:
        throw new Refused(LINUX_ERRNO.ENOSYS);
    }
  }

  #copyRange(file: OpenFile, body: Buffer): Buffer {
    const to = this.#files.get(body.readBigUInt64LE(24)) as OpenFile;
    this.#refuse('copy_file_range', to.node.path ?? '');
    const bytes = Buffer.allocUnsafe(Math.min(Number(body.readBigUInt64LE(40)), 1 << 20));
    const read = readSync(file.fd, bytes, 0, bytes.length, body.readBigUInt64LE(8));
    return countBody(writeSync(to.fd, bytes, 0, read, Number(body.readBigUInt64LE(32))));
  }

  #refuse(operation: Operation, path: ByteString): void {
    const errno = this.#faults.refusal(operation, path);
    if (errno !== 0) throw new Refused(errno);
  }

  #asked(operation: Operation, path: ByteString): ByteString {
    this.#refuse(operation, path);
    return path;
  }

  #path(id: bigint): ByteString {
    const path = this.#nodes.get(id)?.path;
    if (path === undefined) throw new Refused(ENOENT);
    return path;
  }

  #child(parent: bigint, name: ByteString): ByteString {
    return joinBytes(this.#path(parent), name);
  }

  #real(path: ByteString): string | Buffer {
    return fsPath(joinBytes(this.#below, path) || '/');
  }

  /** What is open is asked through its descriptor: it may have no name any more. */
  #attributes(id: bigint): Buffer {
    const node = this.#nodes.get(id) as Node;
    const file = this.#files.of(id);
    const stat = file === undefined ? lstatSync(this.#real(this.#path(id)), { bigint: true }) : fstatSync(file.fd, { bigint: true });
    return this.#asTold(node, stat);
  }

  #asTold({ id, path = '' }: Node, stat: BigIntStats): Buffer {
    return attributes(stat, this.#faults.inode(stat.ino, id), this.#faults.sizeOf(path, stat.size));
  }

  #entry(path: ByteString): Buffer {
    const stat = lstatSync(this.#real(path), { bigint: true });
    const node = this.#nodes.meet(path, stat.ino, this.#faults.renumbers);
    return entryBody(node.id, this.#asTold(node, stat));
  }

  #make(operation: Operation, { node, uid, gid }: Request, name: ByteString, make: (path: string | Buffer) => void): Buffer {
    const path = this.#asked(operation, this.#child(node, name));
    make(this.#real(path));
    if (operation !== 'link') lchownSync(this.#real(path), uid, gid);
    return this.#entry(path);
  }

  #open(node: Node, path: ByteString, flags: number): Buffer {
    const fd = openSync(this.#real(path), flags & ~NOT_PASSED_ON);
    return openBody(this.#files.add({ fd, node }), this.#faults.directIo ? OPEN_DIRECT_IO : 0);
  }

  #rename(from: bigint, to: bigint, [oldName = '', newName = '']: readonly ByteString[]): Buffer {
    const path = this.#asked('rename', this.#child(from, oldName));
    const target = this.#child(to, newName);
    this.#outOfTheWay(target);
    renameSync(this.#real(path), this.#real(target));
    this.#nodes.rename(path, target);
    return NOTHING;
  }

  /** What is open may not go: it gets another name. @returns whether it did */
  #outOfTheWay(path: ByteString): boolean {
    const node = this.#nodes.at(path);
    const name = node && this.#files.hide(node, this.#faults.openFiles);
    if (name === undefined) return false;
    const hidden = joinBytes(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '', name);
    renameSync(this.#real(path), this.#real(hidden));
    this.#nodes.rename(path, hidden);
    return true;
  }

  #list(body: Buffer): Buffer {
    const listing = this.#listings.get(body.readBigUInt64LE(0));
    if (listing === undefined) throw new Refused(LINUX_ERRNO.EBADF);
    const { path } = listing;
    this.#refuse('readdir', path);
    const from = Number(body.readBigUInt64LE(8));
    if (from === 0) listing.entries = undefined;
    listing.entries ??= ['.', '..', ...readdirSync(this.#real(path), 'buffer').map((name) => name.toString('latin1'))].flatMap((name) => {
      const { mode, ino } = lstatSync(this.#real(name === '.' || name === '..' ? path : joinBytes(path, name)), { bigint: true });
      const entry = { name, ino: this.#faults.inode(ino, ino), mode: Number(mode) };
      return this.#faults.isListedTwice(joinBytes(path, name)) ? [entry, entry] : [entry];
    });
    return listingBody(listing.entries, from, body.readUInt32LE(16));
  }
}
