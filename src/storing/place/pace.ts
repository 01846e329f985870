/** How fast each peer takes what it is given: who lags behind the others. */

/** A peer that takes this many times as long as the others would lags. */
const LAG = 4;
/** Factor of patience while no other peer has shown how fast one can be. */
const UNKNOWN = 10;
const NOTHING = { bytes: 0, blocks: 0, ms: 0 };
/** Old uploads count for less and less. */
const DECAY = 0.8;

/** What an upload has to carry. Some peers take longer with many bytes, others with many blocks. */
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

  /** @param isDone the peer has the shard: its time counts */
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
    const most = expectedMs === undefined ? UNKNOWN * this.#patienceMs : Math.max(this.#patienceMs, LAG * expectedMs);
    return this.#now() - upload.startedAt > most;
  }

  /** Peers with an upload that lags. */
  lagging(): Set<string> {
    return new Set([...this.#underWay].filter((upload) => this.isLagging(upload)).map(({ peer }) => peer));
  }

  /** How long the other peers would take, be it for the bytes or for the blocks; undefined while that is not known. */
  #msOfOthers({ peer, bytes, blocks }: Upload): number | undefined {
    let all = NOTHING;
    for (const [name, done] of this.#done) {
      if (name !== peer) all = { bytes: all.bytes + done.bytes, blocks: all.blocks + done.blocks, ms: all.ms + done.ms };
    }
    return all.bytes === 0 ? undefined : all.ms * Math.max(bytes / all.bytes, blocks / all.blocks);
  }
}
