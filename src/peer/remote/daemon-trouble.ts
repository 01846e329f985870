/** Troubles of a daemon's own, which say nothing of the block that it was asked for; and how long a scan goes on when it meets them. */
import { ShardctlError } from '../../core/errors.ts';
import { retrying } from '../../core/waiting.ts';
import { HttpError } from '../http/error.ts';

/**
 * What Kubo also answers with 500, and what says nothing of a block: that it is being stopped, or has no more files or time. One that was
 * stopped and started 25 times answered `repo not open` 186 times for 20 ms, then refused connections, and was back after 0.26 s at most.
 */
const OF_THE_DAEMON = /context canceled|deadline exceeded|too many open files|shutting down|repo not open|connection (?:refused|reset)/i;

/** How long a scan waits before it asks for a block again; all of it is spent once in a scan, on whichever blocks need it first. */
const PAUSES_MS = [250, 500, 1000] as const;
/**
 * After so many blocks that were not given a scan ends. With the pauses, a daemon which answers for every block so takes less than 3 s for a
 * shard: such an answer of a Kubo that 24 requests kept busy took 80 ms at most.
 */
const MOST_NOT_GIVEN = 8;

/** Whether the daemon has answered that it cannot give anything now, so that the block may be intact. */
export function isOfTheDaemon(error: unknown): error is HttpError {
  return error instanceof HttpError && error.status === 500 && OF_THE_DAEMON.test(error.said);
}

/** The blocks that one scan could not be given for such a trouble. */
export class NotGiven {
  readonly #cid: string;
  readonly #errors: HttpError[] = [];
  readonly #pausesMs: number[] = [...PAUSES_MS];

  /** @param cid of the shard */
  constructor(cid: string) {
    this.#cid = cid;
  }

  /** @returns undefined when the daemon could not give the block, also after a pause, and the scan is to go on @throws as `end`, when there are too many of them */
  async of<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await retrying(ask, (error) => (isOfTheDaemon(error) ? this.#pausesMs.shift() : undefined));
    } catch (error) {
      if (!isOfTheDaemon(error)) throw error;
      this.#errors.push(error);
      if (this.#errors.length >= MOST_NOT_GIVEN) this.end();
      return undefined;
    }
  }

  /** A scan without these blocks must not pass for one of the whole shard. @throws ShardctlError `TOO_FEW_PEERS` when there are any */
  end(): void {
    const { length } = this.#errors;
    const last = this.#errors.at(-1);
    if (last === undefined) return;
    if (length === 1) throw last;
    throw new ShardctlError('TOO_FEW_PEERS', `${length} blocks of shard ${this.#cid} were not given; ${last.message}`, { cause: last });
  }
}
