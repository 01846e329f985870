/** What cannot be read is told once, and not a thousand times: whoever copies a tree from a mount meets a silent peer in each file. */

/** After so many, one word stands for the others. */
const MOST_TOLD = 100;

export class Troubles {
  readonly #tell: (message: string, cause: string) => void;
  readonly #rest: string;
  readonly #told = new Set<string>();

  /** @param rest what is said in place of more than a hundred */
  constructor(tell: (message: string, cause: string) => void, rest: string) {
    this.#tell = tell;
    this.#rest = rest;
  }

  readonly tell = (message: string, cause: string): void => {
    if (this.#told.size > MOST_TOLD || this.#told.has(cause)) return;
    this.#told.add(cause);
    if (this.#told.size > MOST_TOLD) this.#tell(this.#rest, this.#rest);
    else this.#tell(message, cause);
  };
}
