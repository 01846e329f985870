/** Which view is the newest, and who still uses older ones: a view is closed when it is not the newest and nobody uses it. */

export class CountedViews<View extends object> {
  readonly #close: (view: View) => void;
  /** How many use each view that is open; 0 only for the newest. */
  readonly #users = new Map<View, number>();
  #newest: View;

  /** @param close called once for each view */
  constructor(first: View, close: (view: View) => void) {
    this.#newest = first;
    this.#close = close;
    this.#users.set(first, 0);
  }

  get newest(): View {
    return this.#newest;
  }

  /** The newest, which stays open until it is released as often. */
  acquire(): View {
    const view = this.#newest;
    this.#users.set(view, (this.#users.get(view) ?? 0) + 1);
    return view;
  }

  release(view: View): void {
    const users = this.#users.get(view);
    // All were closed before.
    if (users === undefined) return;
    if (users === 0) throw new Error('a view was released that nobody uses');
    this.#users.set(view, users - 1);
    this.#closeUnused(view);
  }

  replace(next: View): void {
    const before = this.#newest;
    this.#users.set(next, 0);
    this.#newest = next;
    this.#closeUnused(before);
  }

  /** Closes all of them, whoever uses them. */
  closeAll(): void {
    for (const view of [...this.#users.keys()]) {
      this.#users.delete(view);
      this.#close(view);
    }
  }

  #closeUnused(view: View): void {
    if (view === this.#newest || this.#users.get(view) !== 0) return;
    this.#users.delete(view);
    this.#close(view);
  }
}
