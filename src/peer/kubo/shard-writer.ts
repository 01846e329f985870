/** Stores a shard on a Kubo daemon, pinned and intact, whatever the daemon has already and whatever breaks off on the way. */
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
/** Rounds of mending: a damaged manifest is mended first, and only then shows which blocks are damaged. */
const MENDINGS = 3;
/** To name a pin, the daemon reads all blocks of the shard again. */
const NAMING_IDLE_MS = 120_000;

export interface WriterOptions extends ImportOptions {
  /** Whether pins are named with the shards' labels. */
  readonly namesPins: boolean;
}

export class ShardWriter {
  readonly #rpc: KuboRpc;
  readonly #options: WriterOptions;

  constructor(rpc: KuboRpc, options: WriterOptions) {
    this.#rpc = rpc;
    this.#options = options;
  }

  /** Stores a shard that is not pinned yet. @throws ShardctlError `DAMAGE` also when the daemon has a damaged block of it: then `mend` helps */
  async writeNew(shard: SealedShard): Promise<void> {
    await this.#import(shard, true);
  }

  /**
   * Reads a shard that is pinned already to its end, and sends it again if anything is wrong. Kubo does not overwrite a block that it
   * has, so wrong blocks are removed first.
   * @param failure why the shard could not be imported
   */
  async mend(shard: SealedShard, failure?: ShardctlError): Promise<void> {
    for (let round = 1; ; round++) {
      const wrong: Uint8Array[] = [];
      const intact = await isIntact(() => openShard(this.#rpc, shard.cid, (digest) => wrong.push(digest)));
      if (intact && (await this.#rpc.isPinned(shard.cid))) return;
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
   * Removes damaged blocks. The pin stays, with one exception: Kubo cannot remove any block while the manifest of a pin cannot be read.
   * Then the shard is unpinned first, all of which is in the CAR that is about to be sent.
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
   * Sends the shard until it is pinned. An import whose answer counts every block is evidence that they are there. When the outcome of an
   * import is not known, the shard is looked for, and read, before it is sent again. That is why this loop is not `retrying`: when the
   * shard cannot be looked for, nothing is tried again here.
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
   * `dag/import` gives pins no name. `pin/add` does, but it drops the pin and walks the blocks before it pins again. Kubo's pin lock keeps
   * garbage collections out meanwhile; but a daemon that dies there forgets the pin. So a shard is named before anybody counts on it.
   */
  async #name({ cid, label }: SealedShard): Promise<void> {
    try {
      const query = { arg: cid, name: label };
      await this.#rpc.http.json(
        this.#rpc.call('pin/add', query, { what: `naming ${label}`, idleMs: NAMING_IDLE_MS, signal: this.#options.signal }),
      );
    } catch (error) {
      // A pin without a name is good enough; the caller looks whether the pin is there.
      if (!(error instanceof HttpError)) throw error;
    }
  }
}

/** Gives back a `DAMAGE`. @throws every other error */
export function damageIn(error: unknown): ShardctlError {
  if (isDamage(error)) return error;
  throw error;
}
