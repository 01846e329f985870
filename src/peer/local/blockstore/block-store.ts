/**
 * Layout `blockstore`: `blocks/` is a blockstore-fs directory (`block-files.ts`), which Helia or the library itself opens; the files
 * `pins/<cid>` name the shards that it holds.
 *
 * Shards share blocks, and homes share the peer. So a removal deletes only blocks that no pinned shard needs, puts them aside first, and
 * looks at the pins once more before it deletes them. A put looks at its blocks once more after its pin is there, and writes those again
 * that a removal has taken meanwhile.
 */
import { join } from 'node:path';
import { DigestMap } from '../../../core/digest-map.ts';
import { syncPath, writeDurably } from '../../../core/durable-files.ts';
import { isDamage, ShardctlError } from '../../../core/errors.ts';
import { readRegular } from '../../../core/regular-files.ts';
import { removeFile } from '../../../core/remove-file.ts';
import { parseCid } from '../../../dag/cid.ts';
import { contentsOf, type Manifest, readManifest } from '../../../shard/manifest.ts';
import type { SealedShard, ShardReader } from '../../peer.ts';
import { isShardName, shardName } from '../../shard-name.ts';
import type { MarkFiles } from '../directory/mark-files.ts';
import type { ShardStore, StorePut } from '../directory/shard-store.ts';
import { UsedBytes } from '../directory/used-bytes.ts';
import { filesIn, ifThere, namesIn, renameAway, renameIfFree, renameIfThere, sizeAt } from '../directory/vanishing-files.ts';
import { BlockFiles } from './block-files.ts';
import { BlockShardReader, digestsOf, SalvagedBlocks } from './block-reader.ts';

/** Ends the name of a pin whose blocks are being deleted. */
const REMOVING = '.removing';
/** A put writes its blocks at most this often when removals by other homes take them away again. */
const WRITES = 5;
/** Of a pin, which holds two numbers. */
const MOST_PIN_BYTES = 4096;

interface Pin {
  readonly blocks: number;
  readonly carBytes: number;
}

export class BlockStore implements ShardStore {
  readonly #pins: string;
  readonly #files: BlockFiles;
  readonly #marks: MarkFiles;
  readonly #assertThere: () => Promise<void>;
  readonly #used = new UsedBytes(this);
  /** Ends when the last change of this process ends: they are made one after the other. */
  #changes: Promise<unknown> = Promise.resolve();

  /** @param assertThere throws when the disk is not mounted any more: what is not there then is no damage */
  constructor(path: string, marks: MarkFiles, assertThere: () => Promise<void>) {
    this.#assertThere = assertThere;
    this.#pins = join(path, 'pins');
    this.#files = new BlockFiles(path);
    this.#marks = marks;
  }

  /** Sizes of the pinned shards' CARs, added up: a block that two shards share counts twice, and what the file system adds to small files is left out. */
  usedBytes(isAnew = false): Promise<number> {
    return this.#used.get(isAnew);
  }

  async sizeOf(cid: string): Promise<number | undefined> {
    return (await this.#pinned(cid)) ?? ((await this.#bringBack(cid)) ? await this.#pinned(cid) : undefined);
  }

  put(shard: SealedShard, { beforeCopy, ...how }: StorePut): Promise<void> {
    return this.#alone(async () => {
      await this.#used.beforeChange();
      await beforeCopy();
      await this.#finishRemovals();
      for (let write = 1; ; write++) {
        await this.#files.write(shard, how);
        // Read back before the pin is written, because the pin will say that all blocks are here.
        const manifest = await this.#manifestOf(shard.cid);
        if (manifest.lengths.length !== shard.blocks) {
          throw new ShardctlError(
            'DAMAGE',
            `${shard.carPath} lists ${manifest.lengths.length} blocks, not ${shard.blocks} (${shard.label})`,
          );
        }
        await writeDurably(this.#pinOf(shard.cid), textOf(shard));
        // A removal by another home that had not seen this pin yet may have taken some of the blocks.
        if (await this.#files.restore(digestsOf(manifest.blocks, manifest.nodes))) break;
        if (write === WRITES) throw new ShardctlError('IO', `blocks of ${shard.label} (${shard.cid}) go as fast as they are written`);
      }
      this.#used.note(shard.cid, shard.carBytes);
    });
  }

  async confirm(cid: string): Promise<boolean> {
    await syncPath(this.#pins);
    // The blocks that were read may be aside at this moment, where a removal has put them.
    return (await this.#isInPlace(cid)) && (await this.sizeOf(cid)) !== undefined;
  }

  async open(cid: string): Promise<ShardReader> {
    if ((await this.sizeOf(cid)) === undefined) throw new ShardctlError('NOT_FOUND', `shard ${cid} is not here (${this.#pinOf(cid)})`);
    const manifest = await this.#manifestOf(cid);
    const { lengths, carBytes } = contentsOf(manifest);
    const isPinSound = (await this.#pinText(cid)) === textOf({ blocks: lengths.length, carBytes });
    const damage = isPinSound ? undefined : `its pin is damaged (${this.#pinOf(cid)})`;
    return new BlockShardReader(cid, manifest, (digest) => this.block(digest), damage);
  }

  /** Each block is a file that is found by its digest, so none is lost with the manifest. */
  async salvage(cid: string): Promise<ShardReader> {
    return new SalvagedBlocks(cid, (digest) => this.block(digest));
  }

  async block(digest: Uint8Array): Promise<Uint8Array | undefined> {
    const bytes = await this.#files.read(digest);
    if (bytes === undefined) await this.#assertThere();
    return bytes;
  }

  async *list(): AsyncIterable<string> {
    for (const cid of await this.#removing()) await this.#bringBack(cid);
    yield* await this.#allPinned();
  }

  remove(cid: string): Promise<'removed' | 'kept'> {
    return this.#alone(async () => {
      await this.#used.beforeChange();
      if ((await this.#pinned(cid)) !== undefined) {
        await renameAway(this.#pinOf(cid), this.#pinOf(cid) + REMOVING);
        await syncPath(this.#pins);
        // Another home may have marked the shard and seen its pin meanwhile.
        if (await this.#marks.isMarked(cid)) {
          // Where another home has pinned it once more, what is left here goes with the next removal, and no block of a pin.
          await renameIfFree(this.#pinOf(cid) + REMOVING, this.#pinOf(cid));
          await syncPath(this.#pins);
          return 'kept';
        }
        this.#used.note(cid, 0);
      }
      await this.#finishRemovals();
      return 'removed';
    });
  }

  /** Deletes the blocks of removed shards that no pinned shard needs, those of removals in which a run has died among them. */
  async #finishRemovals(): Promise<void> {
    const removing = await this.#removing();
    if (removing.length === 0) await this.#files.restoreAll();
    for (const cid of removing) {
      if (await this.#bringBack(cid)) continue;
      await this.#deleteBlocksOf(cid);
      await removeFile(this.#pinOf(cid) + REMOVING);
    }
  }

  /**
   * Puts back a marked shard that a run was about to remove when it died, if all of its blocks are still there. The pin is put back
   * first: then either the process that is deleting the blocks at this moment sees the pin, or this one sees that they are gone.
   */
  async #bringBack(cid: string): Promise<boolean> {
    const removing = this.#pinOf(cid) + REMOVING;
    if ((await sizeAt(removing)) === undefined || !(await this.#marks.isMarked(cid))) return false;
    if (!(await renameIfFree(removing, this.#pinOf(cid)))) return false;
    if (await this.#isInPlace(cid)) {
      await syncPath(this.#pins);
      return true;
    }
    await renameIfThere(this.#pinOf(cid), removing);
    return false;
  }

  /** Whether all blocks of the shard are in their place. Those that were put aside are put back. */
  async #isInPlace(cid: string): Promise<boolean> {
    try {
      const { blocks, nodes } = await this.#manifestOf(cid);
      return await this.#files.restore(digestsOf(blocks, nodes));
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  }

  async #deleteBlocksOf(cid: string): Promise<void> {
    try {
      const { blocks, nodes } = await this.#manifestOf(cid);
      const pinned = await this.#allPinned();
      const needed = await this.#neededBy(pinned);
      const going = [...digestsOf(blocks, nodes)].filter((digest) => needed.get(digest) === undefined);
      await this.#files.putAside(going);
      const late = await this.#neededBy((await this.#allPinned()).filter((other) => !pinned.includes(other)));
      await this.#files.restore(going.filter((digest) => late.get(digest) !== undefined));
      await this.#files.discard(going);
    } catch (error) {
      // A manifest that cannot be read may list any block, so none is deleted: too many blocks are better than too few.
      if (!isDamage(error)) throw error;
      await this.#files.restoreAll();
    }
  }

  async #neededBy(cids: readonly string[]): Promise<DigestMap> {
    const needed = new DigestMap();
    for (const cid of cids) {
      const { blocks, nodes } = await this.#manifestOf(cid);
      for (const digest of digestsOf(blocks, nodes)) needed.add(digest, 0, 0);
    }
    return needed;
  }

  #manifestOf(cid: string): Promise<Manifest> {
    return readManifest(parseCid(cid), (digest) => this.block(digest));
  }

  /** Bytes of the CAR of a shard whose pin is here. */
  async #pinned(cid: string): Promise<number | undefined> {
    const text = await this.#pinText(cid);
    // A pin whose text is damaged still counts: its shard is here, and a put of it writes the text again.
    return text === undefined ? undefined : (parsePin(text)?.carBytes ?? 0);
  }

  async #pinText(cid: string): Promise<string | undefined> {
    return (await ifThere(readRegular(this.#pinOf(cid), MOST_PIN_BYTES)))?.toString();
  }

  async #allPinned(): Promise<string[]> {
    // Fails when the directory is missing: then its disk is gone, and an empty list would be wrong.
    return (await filesIn(this.#pins)).filter(isShardName);
  }

  /** Shards whose removal has begun. */
  async #removing(): Promise<string[]> {
    const names = (await namesIn(this.#pins)).filter((name) => name.endsWith(REMOVING));
    return names.map((name) => name.slice(0, -REMOVING.length)).filter(isShardName);
  }

  #pinOf(cid: string): string {
    return join(this.#pins, shardName(cid));
  }

  #alone<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(change);
    this.#changes = result.catch(() => {});
    return result;
  }
}

function textOf({ blocks, carBytes }: Pin): string {
  return `${JSON.stringify({ blocks, carBytes })}\n`;
}

function parsePin(text: string): Pin | undefined {
  try {
    const { carBytes } = JSON.parse(text) as Partial<Pin>;
    return typeof carBytes === 'number' ? (JSON.parse(text) as Pin) : undefined;
  } catch {
    return undefined;
  }
}
