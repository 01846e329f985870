/**
 * A map from the numbers of shards to small numbers, in a flat array: 4 to 8 bytes for each number up to the highest, where a JS Map takes 40.
 * Numbers of shards are given out one after the other, so few of them are missing.
 */
const FIRST_NUMBERS = 1024;

export class NumberMap {
  /** One more than the value; 0 where there is none. */
  #values = new Uint32Array(FIRST_NUMBERS);

  get(number: number): number | undefined {
    const value = this.#values[number] ?? 0;
    return value === 0 ? undefined : value - 1;
  }

  /** @param value a whole number from 0 on, below 2^32 - 1 */
  set(number: number, value: number): void {
    if (number >= this.#values.length) {
      let length = this.#values.length;
      while (length <= number) length *= 2;
      const values = new Uint32Array(length);
      values.set(this.#values);
      this.#values = values;
    }
    this.#values[number] = value + 1;
  }

  has(number: number): boolean {
    return this.get(number) !== undefined;
  }
}
