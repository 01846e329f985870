/**
 * Which home counts on which shard of a local peer: an empty file `owners/<home>/<cid>`, and `owners/<home>.json` for people. Homes
 * come and go without a lock on the peer: who puts marks first and then looks, who removes looks again after the shard is out of
 * sight, and brings it back when it has been marked meanwhile.
 */
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncPath, writeDurably } from '../../../core/durable-files.ts';
import type { Owner } from '../../../core/model.ts';
import type { Mark, PeerOwner } from '../../peer.ts';
import { isShardName, shardName } from '../../shard-name.ts';
import { isThere, namesIn } from './vanishing-files.ts';

const OWNER_ID = /^[0-9a-f]{12}$/;
const DESCRIPTION = '.json';
/** Who is here is written down anew when it is older than this. */
const STALE_MS = 24 * 60 * 60 * 1000;

export class MarkFiles {
  readonly #folder: string;
  readonly #owner: Owner;
  #isDescribed = false;

  /** @param path of the peer */
  constructor(path: string, owner: Owner) {
    this.#folder = join(path, 'owners');
    this.#owner = owner;
  }

  /** MarkFiles shards as this home's own. Durable when it resolves. @param now milliseconds since 1970 */
  async mark(cids: readonly string[], now: number): Promise<void> {
    await this.#describe(now);
    const own = join(this.#folder, this.#owner.id);
    for (const cid of cids) await (await open(join(own, shardName(cid)), 'a')).close();
    // Also when each was there: it may be as young as a crash of a moment ago.
    await syncPath(own);
  }

  /** Durable when it resolves: a mark that a power cut brought back, with the shard, would keep what nobody knows of any more. */
  async release(cid: string, owner = this.#owner.id): Promise<void> {
    if (!OWNER_ID.test(owner)) return;
    const folder = join(this.#folder, owner);
    if (!(await isThere(join(folder, shardName(cid))))) return;
    await rm(join(folder, cid), { force: true });
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
    return (await namesIn(this.#folder)).filter((name) => OWNER_ID.test(name)).sort();
  }

  async #describe(now: number): Promise<void> {
    if (this.#isDescribed) return;
    const { id, host, path } = this.#owner;
    if (!OWNER_ID.test(id)) throw new Error(`"${id}" is not the ID of a home`);
    await makeDirectory(join(this.#folder, id));
    const said = await this.#description(id);
    const isFresh = Math.abs(now - Date.parse(said.seen ?? '')) < STALE_MS;
    if (said.path !== path || said.host !== host || !isFresh) {
      const text = JSON.stringify({ host, path, seen: new Date(now).toISOString() });
      await writeDurably(join(this.#folder, `${id}${DESCRIPTION}`), `${text}\n`);
    }
    this.#isDescribed = true;
  }

  async #description(id: string): Promise<Omit<PeerOwner, 'id'>> {
    try {
      const said = JSON.parse(await readFile(join(this.#folder, `${id}${DESCRIPTION}`), 'utf8')) as Record<string, unknown>;
      const texts = (['host', 'path', 'seen'] as const).filter((key) => typeof said[key] === 'string');
      return Object.fromEntries(texts.map((key) => [key, said[key]]));
    } catch {
      // For people alone.
      return {};
    }
  }
}
