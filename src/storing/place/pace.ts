/** How fast each peer takes its uploads, and which of them lag behind the others. */

/** An upload lags when it takes this many times as long as the other peers would. */
const LAG = 4;
/** Uploads have so many times the patience as long as no other peer has shown how fast one can be. */
const UNCOMPARED = 10;
const NOTHING = { bytes: 0, blocks: 0, ms: 0 };
/** With each new upload of a peer its earlier ones count for this much less. */
const DECAY = 0.8;

/** How large an upload is. Some peers take longer with many bytes, others with many blocks. */
interface Load {
  readonly bytes: number;
  readonly blocks: number;
}

/** One shard on its way to one peer. */
export interface Upload extends Load {
  readonly peer: string;
  readonly startedAt: number;
}

export class Pace {
  readonly #patienceMs: number;
  readonly #now: () => number;
  readonly #underWay = new Set<Upload>();
  readonly #done = new Map<string, Load & { readonly ms: number }>();

  /** @param patienceMs uploads that take no longer than this never lag */
  constructor(patienceMs: number, now: () => number) {
    this.#patienceMs = patienceMs;
    this.#now = now;
  }

  begin(peer: string, { bytes, blocks }: Load): Upload {
    const upload = { peer, bytes, blocks, startedAt: this.#now() };
    this.#underWay.add(upload);
    return upload;
  }

  /** @param isDone whether the peer has the shard: then the time that it took counts */
  end(upload: Upload, isDone: boolean): void {
    this.#underWay.delete(upload);
    if (!isDone) return;
    const before = this.#done.get(upload.peer) ?? NOTHING;
    this.#done.set(upload.peer, {
      bytes: before.bytes * DECAY + upload.bytes,
      blocks: before.blocks * DECAY + upload.blocks,
      ms: before.ms * DECAY + this.#now() - upload.startedAt,
    });
  }

  isLagging(upload: Upload): boolean {
    const expectedMs = this.#msOfOthers(upload);
    const most = expectedMs === undefined ? UNCOMPARED * this.#patienceMs : Math.max(this.#patienceMs, LAG * expectedMs);
    return this.#now() - upload.startedAt > most;
  }

  /** Peers with an upload that lags. */
  lagging(): Set<string> {
    return new Set([...this.#underWay].filter((upload) => this.isLagging(upload)).map(({ peer }) => peer));
  }

  /**
   * How long the other peers would take for so many bytes or for so many blocks, whichever is longer; undefined while that is not known.
   */
  #msOfOthers({ peer, bytes, blocks }: Upload): number | undefined {
    let all = NOTHING;
    for (const [name, done] of this.#done) {
      if (name !== peer) all = { bytes: all.bytes + done.bytes, blocks: all.blocks + done.blocks, ms: all.ms + done.ms };
    }
    return all.bytes === 0 ? undefined : all.ms * Math.max(bytes / all.bytes, blocks / all.blocks);
  }
}
