/** Brings a shard into a Kubo daemon, pinned and whole, whatever is there already and whatever breaks off on the way. */

import { isDamage, ShardctlError } from '../../core/errors.ts';
import { sleep } from '../../core/waiting.ts';
import { HttpError } from '../http/error.ts';
import { isIntact } from '../intact-shard.ts';
import type { SealedShard } from '../peer.ts';
import { openShard } from '../remote/remote-reader.ts';
import { type ImportOptions, importCar } from './car-import.ts';
import type { KuboRpc } from './rpc.ts';

/** A shard is sent this often before its peer is given up. */
const IMPORTS = 3;
const FIRST_PAUSE_MS = 1000;
/** The manifest is mended first, where it is damaged, and then what it lists. */
const MENDINGS = 3;
/** Naming a pin reads the blocks again, which were written a moment ago. */
const NAMING_IDLE_MS = 120_000;

export interface WriterOptions extends ImportOptions {
  /** Pins are given the shards' labels. */
  readonly namesPins: boolean;
}

export class ShardWriter {
  readonly #rpc: KuboRpc;
  readonly #options: WriterOptions;

  constructor(rpc: KuboRpc, options: WriterOptions) {
    this.#rpc = rpc;
    this.#options = options;
  }

  /** A shard that is not pinned yet. @throws ShardctlError `DAMAGE` also when a damaged block of it lies there: then `mend` helps */
  async writeNew(shard: SealedShard): Promise<void> {
    await this.#import(shard, true);
  }

  /**
   * A shard that is pinned already is whole when all of it reads back; else it is written once more. Kubo does not write a block that
   * it has, be it the right one or not: the wrong ones go first.
   * @param failure why it could not be imported
   */
  async mend(shard: SealedShard, failure?: ShardctlError): Promise<void> {
    for (let round = 1; ; round++) {
      const wrong: Uint8Array[] = [];
      const whole = await isIntact(() => openShard(this.#rpc, shard.cid, (digest) => wrong.push(digest)));
      if (whole && (await this.#rpc.isPinned(shard.cid))) return;
      if (failure !== undefined && wrong.length === 0) throw failure;
      if (round > MENDINGS) break;
      this.#options.signal.throwIfAborted();
      await this.#clear(shard, wrong);
      failure = await this.#import(shard, false).then(() => undefined, damageIn);
    }
    throw new ShardctlError('DAMAGE', `${shard.label} (${shard.cid}) is still damaged on ${this.#rpc.http.who} after it was written anew`, {
      hint: 'look at the log of the daemon, and check its disk',
    });
  }

  /**
   * Removes damaged blocks. The pin stays, with one exception: Kubo cannot remove any block while it cannot read the manifest of a
   * pin, and what such a pin guards is in the CAR that is at hand.
   */
  async #clear(shard: SealedShard, wrong: readonly Uint8Array[]): Promise<void> {
    try {
      await this.#rpc.removeBlocks(wrong);
    } catch (error) {
      if (!(error instanceof HttpError) || error.status === undefined) throw error;
      await this.#rpc.unpin(shard.cid, `unpinning ${shard.label}`);
      await this.#rpc.removeBlocks(wrong);
    }
  }

  /**
   * Sends the shard until it is pinned. An import whose answer counts every block is evidence that they are there; when its outcome
   * is not known, the shard is looked for before it is sent again. That look is why this loop is not `retrying`: when the look itself
   * fails, nothing is tried again here.
   */
  async #import(shard: SealedShard, isNew: boolean): Promise<void> {
    const { signal } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        await importCar(this.#rpc, shard, this.#options);
        if (isNew && attempt === 1 && this.#options.namesPins) await this.#name(shard);
        if (await this.#rpc.isPinned(shard.cid)) return;
        throw new ShardctlError('TOO_FEW_PEERS', `${this.#rpc.http.who} has lost the pin of ${shard.label} (${shard.cid})`, {
          retryable: true,
        });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ShardctlError) || !error.retryable || attempt === IMPORTS) throw error;
        await sleep(FIRST_PAUSE_MS * attempt * attempt, signal);
        if ((await this.#rpc.isPinned(shard.cid)) && (await isIntact(() => openShard(this.#rpc, shard.cid)))) return;
      }
    }
  }

  /**
   * `dag/import` gives pins no name. `pin/add` does, but it drops the pin and walks the blocks before it pins again: under Kubo's pin
   * lock, so that no garbage collection comes in between, and yet only for a shard that nobody counts on so far.
   */
  async #name({ cid, label }: SealedShard): Promise<void> {
    try {
      const query = { arg: cid, name: label };
      await this.#rpc.http.json(
        this.#rpc.call('pin/add', query, { what: `naming ${label}`, idleMs: NAMING_IDLE_MS, signal: this.#options.signal }),
      );
    } catch (error) {
      // Whether the pin is there is asked next, and all that matters.
      if (!(error instanceof HttpError)) throw error;
    }
  }
}

/** The error itself when it says that what came is not whole. @throws every other */
export function damageIn(error: unknown): ShardctlError {
  if (isDamage(error)) return error;
  throw error;
}
