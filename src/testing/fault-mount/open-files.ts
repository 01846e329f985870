/** The files that are open in a fault mount, and what becomes of one that is removed meanwhile. */
import { closeSync } from 'node:fs';
import type { ByteString } from '../../core/model.ts';
import { type Faults, LINUX_ERRNO } from './faults.ts';
import type { Node } from './nodes.ts';
import { Refused } from './refused.ts';

export interface OpenFile {
  readonly fd: number;
  readonly node: Node;
}

export class OpenFiles {
  readonly #files = new Map<bigint, OpenFile>();
  /** To be removed with their last close. */
  readonly #hidden = new Set<Node>();
  #last = 0;

  /** @returns its handle */
  add(file: OpenFile): number {
    this.#files.set(BigInt(++this.#last), file);
    return this.#last;
  }

  get(handle: bigint): OpenFile | undefined {
    return this.#files.get(handle);
  }

  /** Any that has this node open. */
  of(node: bigint): OpenFile | undefined {
    for (const file of this.#files.values()) if (file.node.id === node) return file;
    return undefined;
  }

  /** @returns the name under which what is removed stays, or undefined when it just goes */
  hide(node: Node, how: Faults['openFiles']): ByteString | undefined {
    if (how === undefined || how === 'as-usual' || this.of(node.id) === undefined) return undefined;
    if (how === 'refused' || (how === 'nfs' && this.#hidden.has(node))) throw new Refused(LINUX_ERRNO.EBUSY);
    this.#hidden.add(node);
    return `.${how}${String(++this.#last).padStart(16, '0')}`;
  }

  /** @param remove takes away what was only kept because it was open */
  close(handle: bigint, remove: (path: ByteString) => void): void {
    const { fd, node } = this.#files.get(handle) as OpenFile;
    this.#files.delete(handle);
    closeSync(fd);
    if (this.#hidden.has(node) && this.of(node.id) === undefined) {
      this.#hidden.delete(node);
      if (node.path !== undefined) remove(node.path);
    }
  }
}
