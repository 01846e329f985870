/**
 * Which home counts on which shard of a local peer: an empty file `owners/<home>/<cid>`, and for people `owners/<home>.json`.
 *
 * Homes take no lock on a peer that they share. So a home that puts a shard marks it first and looks for the shard afterwards; a home
 * that removes one moves it out of sight first, looks at the marks again, and moves it back if another home has marked it meanwhile.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncPath, writeDurably } from '../../../core/durable-files.ts';
import { errnoOf } from '../../../core/errors.ts';
import type { Owner } from '../../../core/model.ts';
import { readRegular } from '../../../core/regular-files.ts';
import { removeFile } from '../../../core/remove-file.ts';
import { assertHomeId, descriptionText, type HomeDescription, isHomeId, isUpToDate, parseDescription } from '../../home-description.ts';
import type { Mark, PeerOwner } from '../../peer.ts';
import { isShardName, shardName } from '../../shard-name.ts';
import { isThere, namesIn } from './vanishing-files.ts';

const DESCRIPTION = '.json';
/** Of a description that is read. */
const MOST_BYTES = 64 * 1024;

export class MarkFiles {
  readonly #folder: string;
  readonly #owner: Owner;
  #isDescribed = false;

  /** @param path of the peer */
  constructor(path: string, owner: Owner) {
    this.#folder = join(path, 'owners');
    this.#owner = owner;
  }

  /** Marks shards as this home's own. Durable when it resolves. @param now milliseconds since 1970 */
  async mark(cids: readonly string[], now: number): Promise<void> {
    await this.#describe(now);
    const own = join(this.#folder, this.#owner.id);
    for (const cid of cids) await makeMark(join(own, shardName(cid)));
    // Flushed even if every mark was there already: a run that crashed a moment ago may have made them and not flushed them.
    await syncPath(own);
  }

  /** Durable when it resolves: a mark that a power cut brought back would keep its shard on the peer, and no home would know of it. */
  async release(cid: string, owner = this.#owner.id): Promise<void> {
    if (!isHomeId(owner)) return;
    const folder = join(this.#folder, owner);
    if (!(await isThere(join(folder, shardName(cid))))) return;
    await removeFile(join(folder, cid));
    await syncPath(folder);
  }

  /** Whether any home counts on the shard. */
  async isMarked(cid: string): Promise<boolean> {
    for (const owner of await this.#ids()) if (await isThere(join(this.#folder, owner, shardName(cid)))) return true;
    return false;
  }

  async owners(): Promise<readonly PeerOwner[]> {
    const owners: PeerOwner[] = [];
    for (const id of await this.#ids()) owners.push({ ...(await this.#description(id)), id });
    return owners;
  }

  async *all(): AsyncIterable<Mark> {
    for (const owner of await this.#ids()) {
      for (const cid of await namesIn(join(this.#folder, owner))) if (isShardName(cid)) yield { cid, owner };
    }
  }

  async #ids(): Promise<string[]> {
    return (await namesIn(this.#folder)).filter(isHomeId).sort();
  }

  async #describe(now: number): Promise<void> {
    if (this.#isDescribed) return;
    const { id } = this.#owner;
    assertHomeId(id);
    await makeDirectory(join(this.#folder, id));
    if (!isUpToDate(await this.#description(id), this.#owner, now))
      await writeDurably(this.#descriptionOf(id), `${descriptionText(this.#owner, now)}\n`);
    this.#isDescribed = true;
  }

  async #description(id: string): Promise<HomeDescription> {
    try {
      return parseDescription((await readRegular(this.#descriptionOf(id), MOST_BYTES)).toString());
    } catch {
      // Only people read it, so a description that cannot be read stops nothing: this home's own is written again.
      return {};
    }
  }

  #descriptionOf(id: string): string {
    return join(this.#folder, `${id}${DESCRIPTION}`);
  }
}

/** Whatever has the name of a mark is one, so it is made and never opened: a symlink would lead elsewhere, a FIFO hold up this home. */
async function makeMark(path: string): Promise<void> {
  try {
    await writeFile(path, '', { flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}
