/** Bytes that the shards of a local peer take: added up once, and kept up to date with what this process does. After a failure they are added up anew: the disk may be back. */
export class UsedBytes {
  readonly #sum: () => Promise<number>;
  #known: Promise<number> | undefined;

  /** @param sum looks at every shard */
  constructor(sum: () => Promise<number>) {
    this.#sum = sum;
  }

  /** @param isAnew adds up again, as somebody else may have added something */
  get(isAnew = false): Promise<number> {
    return isAnew || this.#known === undefined ? this.#keep(this.#sum()) : this.#known;
  }

  /** Chained and not awaited, so that of two puts at once each is added to the other's result. */
  add(bytes: number): void {
    void this.#keep(this.get().then((used) => used + bytes));
  }

  #keep(used: Promise<number>): Promise<number> {
    this.#known = used;
    used.catch(() => {
      if (this.#known === used) this.#known = undefined;
    });
    return used;
  }
}
