/**
 * The blocks that a walk has met, so that none is sent twice. All walks together remember so many; what is met beyond is forgotten, and may
 * be sent again: that costs the client some bytes, where remembering all of a large mirror would cost this server its memory.
 */
import { BlockSet } from '../../core/block-set.ts';
import { DAG_PB, RAW } from '../../core/model.ts';
import type { AnyCid } from '../../dag/foreign-cid.ts';

/** 44 to 88 MB. */
const MOST_BLOCKS = 2 ** 20;

/** The room that the walks of a server share. */
export class MetMemory {
  #room: number;

  constructor(mostBlocks = MOST_BLOCKS) {
    this.#room = mostBlocks;
  }

  /** Blocks that can still be remembered. */
  get room(): number {
    return this.#room;
  }

  take(): boolean {
    if (this.#room === 0) return false;
    this.#room--;
    return true;
  }

  give(blocks: number): void {
    this.#room += blocks;
  }
}

export class MetBlocks {
  readonly #memory: MetMemory;
  readonly #met = new BlockSet();

  constructor(memory: MetMemory) {
    this.#memory = memory;
  }

  /** @returns false when it was met before */
  add({ codec, digest }: AnyCid): boolean {
    const id = { codec: codec === DAG_PB ? DAG_PB : RAW, digest } as const;
    if (this.#met.has(id)) return false;
    if (this.#memory.take()) this.#met.add(id);
    return true;
  }

  /** To be called once, at the end of the walk. */
  forget(): void {
    this.#memory.give(this.#met.size);
  }
}
