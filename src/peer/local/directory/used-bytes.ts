/** What the shards of a local peer take: summed up once, and kept up to date. What failed is not remembered: the disk may be back. */
export class UsedBytes {
  readonly #sum: () => Promise<number>;
  #known: Promise<number> | undefined;

  /** @param sum looks at all of them */
  constructor(sum: () => Promise<number>) {
    this.#sum = sum;
  }

  get(): Promise<number> {
    return this.#known ?? this.#keep(this.#sum());
  }

  /** Chained, not awaited: two puts at once must both be counted. */
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
