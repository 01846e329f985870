/** What the kernel knows by number in a fault mount. */
import type { ByteString } from '../../core/model.ts';

export interface Node {
  readonly id: bigint;
  /** Undefined when it was removed: only what has it open still knows it. */
  path: ByteString | undefined;
  /** Of the entry below: another entry at the same path is another node. */
  readonly ino: bigint;
}

export class Nodes {
  #last = 1n;
  readonly #byId = new Map<bigint, Node>([[1n, { id: 1n, path: '', ino: 0n }]]);
  readonly #byPath = new Map<ByteString, Node>();

  get(id: bigint): Node | undefined {
    return this.#byId.get(id);
  }

  at(path: ByteString): Node | undefined {
    return this.#byPath.get(path);
  }

  /** The node of an entry that is there. @param anew a new node, whatever was known: the old one is as good */
  meet(path: ByteString, ino: bigint, anew: boolean): Node {
    const known = this.#byPath.get(path);
    if (known?.ino === ino && !anew) return known;
    if (known !== undefined && known.ino !== ino) known.path = undefined;
    const node: Node = { id: ++this.#last, path, ino };
    this.#byId.set(node.id, node);
    this.#byPath.set(path, node);
    return node;
  }

  remove(path: ByteString): void {
    const node = this.#byPath.get(path);
    if (node === undefined) return;
    node.path = undefined;
    this.#byPath.delete(path);
  }

  /** An entry has another name, and so has all that is below it. */
  rename(from: ByteString, to: ByteString): void {
    this.remove(to);
    for (const [path, node] of [...this.#byPath]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.#byPath.delete(path);
      node.path = to + path.slice(from.length);
      this.#byPath.set(node.path, node);
    }
  }
}
