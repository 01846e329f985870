/**
 * How the units of an index come: in parts, so that an index of a million entries is not a million turns of the event loop. An array is a
 * part. A text is one, too, of which the units need not be cut out where both versions of an index have the same.
 */
export interface Part<Unit> extends Iterable<Unit> {
  /** Where the part is no array. */
  readonly cursor?: () => Cursor<Unit>;
}

export type Parts<Unit> = AsyncIterable<Part<Unit>>;
export type Units<Unit> = AsyncIterable<readonly Unit[]>;

/** Goes through a part. */
export interface Cursor<Unit> {
  readonly hasNext: boolean;
  /** The next unit, which stays the next one; there has to be one. */
  peek(): Unit;
  pass(): void;
  /** Passes over what comes next in both parts as long as it is the same: most of an index, for less than a look at each unit. @returns what was passed over, if anything */
  takeCommon(other: Cursor<Unit>): Part<Unit> | undefined;
}

/** Of an array. */
export class ArrayCursor<Unit> implements Cursor<Unit> {
  readonly #units: readonly Unit[];
  readonly #keyOf: (unit: Unit) => string;
  #at = 0;

  constructor(units: readonly Unit[], keyOf: (unit: Unit) => string) {
    this.#units = units;
    this.#keyOf = keyOf;
  }

  get hasNext(): boolean {
    return this.#at < this.#units.length;
  }

  peek(): Unit {
    return this.#units[this.#at] as Unit;
  }

  pass(): void {
    this.#at++;
  }

  takeCommon(other: Cursor<Unit>): readonly Unit[] | undefined {
    if (!(other instanceof ArrayCursor)) return undefined;
    const first = this.#at;
    const units = this.#units;
    const [others, shift]: [readonly Unit[], number] = [other.#units, other.#at - first];
    const end = Math.min(units.length, others.length - shift);
    const keyOf = this.#keyOf;
    let at = first;
    while (at < end && keyOf(units[at] as Unit) === keyOf(others[at + shift] as Unit)) at++;
    if (at === first) return undefined;
    [this.#at, other.#at] = [at, at + shift];
    return units.slice(first, at);
  }
}
