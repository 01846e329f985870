/** For tests: the kernel's side of a mount, in the test's own process. It asks in bytes, as Linux does, and takes the answers apart. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import type { BlockId } from '../core/model.ts';
import type { Device } from '../mount/channel/device.ts';
import { REQUEST_HEADER_BYTES } from '../mount/protocol/requests.ts';
import { Session } from '../mount/session.ts';
import { MountedTree } from '../mount/tree/mounted-tree.ts';
import type { HostileDag } from './hostile-dag.ts';

const HEADER_BYTES = 16;
const LOOKUP = 1;
const READ = 15;
const INIT = 26;
const [READDIR, READDIRPLUS] = [28, 44];

export interface Answer {
  /** An errno, 0 when it went well. */
  readonly error: number;
  readonly body: Buffer;
}

export interface FoundEntry {
  readonly node: number;
  readonly size: number;
}

export class FakeKernel {
  /** What the mount could not read. */
  readonly troubles: string[] = [];
  /** What it said must be looked at again: a node, or `node/name`. */
  readonly stale: string[] = [];
  /** How many answers there were. */
  replies = 0;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #held: Promise<void> = Promise.resolve();
  #release = () => {};
  #unique = 0;
  #session: Session | undefined;
  #tree: MountedTree | undefined;

  /** @param options changes: whether another tree may be shown later */
  static async mount(dag: HostileDag, root: BlockId, { changes = false, mostInodes = 1000 } = {}): Promise<FakeKernel> {
    const kernel = new FakeKernel();
    const blocks = {
      read: async (digest: Uint8Array) => {
        await kernel.#held;
        return await dag.read(digest);
      },
      readNow: () => undefined,
      sizeOf: async (digest: Uint8Array) => (await dag.read(digest)).length,
      extentOf: async () => undefined,
      extentNow: () => undefined,
    };
    const views = { acquire: () => ({ blocks }), release: () => {} };
    const tree = await MountedTree.open(root, { views, specialBits: false, mostInodes });
    const totals = () => ({ bytes: 1, entries: 1 });
    const onTrouble = (message: string) => void kernel.troubles.push(message);
    const owner = { uid: 1, gid: 2 };
    kernel.#session = new Session({ device: kernel.#device, tree, owner, changes, totals, onTrouble, onReady: () => {} });
    kernel.#tree = tree;
    const flags = Buffer.alloc(64);
    flags.writeUInt32LE(7, 0);
    flags.writeUInt32LE(45, 4);
    flags.writeUInt32LE(0xffffffff, 12);
    assert.equal((await kernel.ask(INIT, 0, flags)).error, 0);
    return kernel;
  }

  /** Entries that the mount keeps, the root among them. */
  get inodes(): number {
    return this.#tree?.inodes.size ?? 0;
  }

  get lastRequest(): number {
    return this.#unique;
  }

  async ask(opcode: number, node: number, body: Buffer = Buffer.alloc(0)): Promise<Answer> {
    const unique = this.#unique + 2;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(unique, resolve));
    this.tell(opcode, node, body);
    return await answered;
  }

  /** Asks, and waits for no answer. */
  tell(opcode: number, node: number, body: Buffer): void {
    this.#unique += 2;
    const bytes = Buffer.alloc(REQUEST_HEADER_BYTES + body.length);
    bytes.writeUInt32LE(bytes.length, 0);
    bytes.writeUInt32LE(opcode, 4);
    bytes.writeBigUInt64LE(BigInt(this.#unique), 8);
    bytes.writeBigUInt64LE(BigInt(node), 16);
    body.copy(bytes, REQUEST_HEADER_BYTES);
    this.#session?.take(bytes);
  }

  async lookUp(directory: number, name: string): Promise<[FoundEntry]> {
    const { error, body } = await this.ask(LOOKUP, directory, Buffer.from(`${name}\0`, 'latin1'));
    assert.equal(error, 0, name);
    return [{ node: Number(body.readBigUInt64LE(0)), size: Number(body.readBigUInt64LE(48)) }];
  }

  async read(node: number, offset: number, size: number): Promise<Buffer> {
    const { error, body } = await this.ask(READ, node, this.part(offset, size));
    assert.equal(error, 0);
    return body;
  }

  /** All names, page by page. */
  async list(node: number, { size = 4096, plus = true, handle = 0n } = {}): Promise<string[]> {
    const names: string[] = [];
    for (let offset = 0; ; ) {
      const { error, body } = await this.ask(plus ? READDIRPLUS : READDIR, node, this.part(offset, size, handle));
      assert.equal(error, 0);
      assert.ok(body.length <= size);
      if (body.length === 0) return names;
      for (let at = 0; at < body.length; ) {
        if (plus) at += 128;
        offset = Number(body.readBigUInt64LE(at + 8));
        const length = body.readUInt32LE(at + 16);
        names.push(body.toString('latin1', at + 24, at + 24 + length));
        at += (24 + length + 7) & ~7;
      }
    }
  }

  /** The body of a request for a part of a file or of a listing. */
  part(offset: number, size: number, handle = 0n): Buffer {
    const body = Buffer.alloc(40);
    body.writeBigUInt64LE(handle, 0);
    body.writeBigUInt64LE(BigInt(offset), 8);
    body.writeUInt32LE(size, 16);
    return body;
  }

  u64(value: number): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  }

  async show(root: BlockId): Promise<void> {
    await this.#session?.show(root);
  }

  /** From now on blocks are not there yet. */
  holdBlocks(): void {
    this.#held = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  releaseBlocks(): void {
    this.#release();
    this.#held = Promise.resolve();
  }

  /** Whatever is under way has come to its end. */
  async settled(): Promise<void> {
    for (let round = 0; round < 10; round++) await turn();
  }

  get #device(): Pick<Device, 'reply' | 'replyFrom' | 'notify'> {
    const take = (reply: Buffer): boolean => {
      assert.equal(reply.readUInt32LE(0), reply.length);
      const unique = Number(reply.readBigUInt64LE(8));
      const waiting = this.#waiting.get(unique);
      assert.ok(waiting !== undefined, `request ${unique} has an answer that nobody waits for`);
      this.#waiting.delete(unique);
      this.replies++;
      waiting({ error: Math.abs(reply.readInt32LE(4)), body: Buffer.from(reply.subarray(HEADER_BYTES)) });
      return true;
    };
    return {
      reply: (bytes, length) => take(bytes.subarray(0, length)),
      replyFrom: (parts) => take(Buffer.concat(parts)),
      notify: async (bytes) => {
        const node = bytes.readBigUInt64LE(HEADER_BYTES);
        const isName = bytes.readInt32LE(4) === 3;
        this.stale.push(isName ? `${node}/${bytes.toString('latin1', HEADER_BYTES + 16, bytes.length - 1)}` : `${node}`);
      },
    };
  }
}
