/**
 * What two versions of an index have in common, found while both stream by. Most of an index is as it was and in the same order: so the two
 * are read side by side, and what comes at once on both sides is the same without being kept or parsed. What has no counterpart yet waits
 * for it; whatever still waits at the end came or went.
 *
 * Holds what waits: what has changed, and how far the order of the two differs; MOST_WAITING characters at most. Beyond, what waits counts
 * as come and gone, which costs its comparison with the tree and nothing else.
 */
import { NoUnpacker, UnreadableIndex } from './claim.ts';
import { ArrayCursor, type Cursor, type Part, type Parts } from './units.ts';

export interface UnitKeys<Unit> {
  /** Equal for units that say the same; a byte string. */
  keyOf(unit: Unit): string;
  /** The unit without the text that it was cut out of, which it would keep in memory. */
  keep(unit: Unit): Unit;
}

export interface ComparedUnits<Unit> {
  /** In both versions. */
  readonly both: readonly Part<Unit>[];
  /** In the newer one alone. */
  readonly came: readonly Unit[];
  /** In the older one alone. */
  readonly went: readonly Unit[];
}

/** Characters of keys. */
const MOST_WAITING = 64 * 1024 ** 2;

/**
 * Each unit of `now` is in `both` or in `came`, and each unit in `both` is in `before`.
 * @param before nothing where there is no older version; one that cannot be read ends where that shows
 * @throws UnreadableIndex when `now` cannot be read, after what could be; NoUnpacker
 */
export async function* comparedUnits<Unit>(
  keys: UnitKeys<Unit>,
  now: Parts<Unit>,
  before: Parts<Unit> | undefined,
  mostWaiting = MOST_WAITING,
): AsyncGenerator<ComparedUnits<Unit>> {
  const newer = new Version(keys, now);
  const older = new Version(keys, before);
  try {
    while (!newer.isEnded || !older.isEnded) {
      await newer.fill([UnreadableIndex]);
      await older.fill([UnreadableIndex, NoUnpacker]);
      const found = pairedOff(newer, older);
      if (newer.waitingLength + older.waitingLength > mostWaiting) {
        found.came.push(...newer.takeWaiting());
        found.went.push(...older.takeWaiting());
      }
      yield found;
    }
    yield { both: [], came: newer.takeWaiting(), went: older.takeWaiting() };
    if (newer.failure !== undefined) throw newer.failure;
  } finally {
    await newer.close();
    await older.close();
  }
}

/** Goes on as long as the next unit of both is known, or that there is none. */
function pairedOff<Unit>(newer: Version<Unit>, older: Version<Unit>) {
  const found = { both: [] as Part<Unit>[], came: [] as Unit[], went: [] as Unit[] };
  while ((newer.hasNext || newer.isEnded) && (older.hasNext || older.isEnded) && (newer.hasNext || older.hasNext)) {
    const common = newer.takeCommon(older);
    if (common !== undefined) found.both.push(common);
    else if (newer.hasNext && older.takes(newer.key)) found.both.push([newer.next()]);
    else if (older.hasNext && newer.takes(older.key)) found.both.push([older.next()]);
    else if (newer.hasNext && older.hasNext && newer.key === older.key) {
      found.both.push([newer.next()]);
      older.next();
    } else {
      const [hasCome, hasGone] = [newer.hasNext, older.hasNext];
      if (hasCome) older.isEnded ? found.came.push(newer.next()) : newer.wait();
      if (hasGone) newer.isEnded ? found.went.push(older.next()) : older.wait();
    }
  }
  return found;
}

/** One version of an index as it streams by, and those of its units that wait for a counterpart. */
class Version<Unit> {
  readonly #keys: UnitKeys<Unit>;
  readonly #iterator: AsyncIterator<Part<Unit>> | undefined;
  #cursor: Cursor<Unit>;
  #key: string | undefined;
  readonly #waiting = new Map<string, Unit>();
  waitingLength = 0;
  /** Nothing more can be read. */
  #isRead: boolean;
  /** Why it could not be read to its end. */
  failure: unknown;

  constructor(keys: UnitKeys<Unit>, parts: Parts<Unit> | undefined) {
    this.#keys = keys;
    this.#cursor = new ArrayCursor([], keys.keyOf);
    this.#iterator = parts?.[Symbol.asyncIterator]();
    this.#isRead = parts === undefined;
  }

  get hasNext(): boolean {
    return this.#cursor.hasNext;
  }

  get isEnded(): boolean {
    return this.#isRead && !this.hasNext;
  }

  /** Of the next unit; there has to be one. */
  get key(): string {
    this.#key ??= this.#keys.keyOf(this.#cursor.peek());
    return this.#key;
  }

  next(): Unit {
    const unit = this.#cursor.peek();
    this.#cursor.pass();
    this.#key = undefined;
    return unit;
  }

  /** Takes what comes next in both versions, as long as that is the same. @returns it, if there is anything */
  takeCommon(other: Version<Unit>): Part<Unit> | undefined {
    const common = this.#cursor.takeCommon(other.#cursor);
    if (common !== undefined) [this.#key, other.#key] = [undefined, undefined];
    return common;
  }

  /** Puts the next unit aside. */
  wait(): void {
    const unit = this.#keys.keep(this.next());
    const key = this.#keys.keyOf(unit);
    if (this.#waiting.has(key)) return;
    this.#waiting.set(key, unit);
    this.waitingLength += key.length;
  }

  /** Whether a unit with this key has waited; it does no more. */
  takes(key: string): boolean {
    if (!this.#waiting.delete(key)) return false;
    this.waitingLength -= key.length;
    return true;
  }

  takeWaiting(): Unit[] {
    const units = [...this.#waiting.values()];
    this.#waiting.clear();
    this.waitingLength = 0;
    return units;
  }

  /** Reads on if there is no next unit. @param ending errors that end it */
  async fill(ending: readonly (new (...args: never[]) => Error)[]): Promise<void> {
    try {
      while (!this.hasNext && !this.#isRead) {
        const read = await this.#iterator?.next();
        this.#isRead = read === undefined || read.done === true;
        const part = read?.done === false ? read.value : [];
        this.#cursor = part.cursor?.() ?? new ArrayCursor([...part], this.#keys.keyOf);
      }
    } catch (error) {
      if (!ending.some((kind) => error instanceof kind)) throw error;
      this.failure = error;
      this.#isRead = true;
    }
  }

  async close(): Promise<void> {
    await this.#iterator?.return?.();
  }
}
